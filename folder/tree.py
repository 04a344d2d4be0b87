"""The photographs below a folder, their ids, and the image that a row of labels names."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from misc.files.images import image_endings

# Most file systems take 255 bytes, and outputs add endings.
LONGEST = 150


def image_ids(root: Path, *, but: Path | None = None) -> dict[str, str]:
    """Return the images of a tree, sorted by path: by id the path below its root, with '/'.

    An id is the path without its ending, '/' and what file names or lists cannot hold replaced;
    where several images would have one id, each has a digest of its path in it.

    Args:
        root: the folder.
        but: a folder below it that holds no photographs: that of the masks.
    """
    endings, paths = image_endings(), []
    for path in files_below(root, but=but):
        if os.path.splitext(path)[1].lower() in endings:
            paths.append(path)
    paths.sort()
    plain = [_plain_id(path) for path in paths]
    # A file system may take upper and lower case for the same.
    uses = Counter(image_id.casefold() for image_id in plain)
    return {
        _with_digest(i, path) if uses[i.casefold()] > 1 else i: path
        for i, path in zip(plain, paths, strict=True)
    }


def files_below(root: Path, *, but: Path | None = None) -> Iterator[str]:
    """Yield the path below a folder of each file in it, with '/'; hidden ones are left out.

    Links to folders are followed, after all else and each folder once: two may lead in a circle.

    Args:
        root: the folder.
        but: a folder that is left out.
    """
    seen = set() if but is None else {os.path.realpath(but)} - {os.path.realpath(root)}
    left = [os.fspath(root)]
    while left:
        for folder, inside, names in os.walk(left.pop(0)):
            if (real := os.path.realpath(folder)) in seen:
                inside.clear()
                continue
            seen.add(real)
            inside[:] = sorted(name for name in inside if name[0] != ".")
            left += filter(os.path.islink, (os.path.join(folder, name) for name in inside))
            below = Path(folder).relative_to(root)
            yield from ((below / name).as_posix() for name in names if name[0] != ".")


class Names:
    """Which image a row of labels means: by its path, that without ending, its id, its own name.

    Args:
        root: the folder of the images.
        paths: the images' paths below it, by id.
    """

    def __init__(self, root: Path, paths: Mapping[str, str]) -> None:
        self._root = root
        exact = {_normal(path): [image_id] for image_id, path in paths.items()}
        stems = _gathered((_stem(p), image_id) for image_id, p in paths.items())
        bare = _gathered((p.rpartition("/")[2], image_id) for image_id, p in paths.items())
        self._known = {**bare, **stems, **{i: [i] for i in paths}, **exact}

    def find(self, name: str) -> str | None:
        """Return the id of the image that a path means, either slash between its parts.

        The path may also be absolute, or begin with the folder's own name. None where there is no
        image.

        Raises:
            ValueError: several images have this name.
        """
        path = _normal(name.replace("\\", "/")).removeprefix("./")
        forms = [path, path.removeprefix(f"{self._root.name}/")]
        forms += [path.removeprefix(f"{_normal(self._root.absolute().as_posix())}/")]
        found = next((self._known[form] for form in forms if form in self._known), [])
        if len(found) > 1:
            raise ValueError(f"{name!r} is the name of {len(found)} images; write the whole path")
        return found[0] if found else None


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, image_id in pairs:
        found.setdefault(_normal(name), []).append(image_id)
    return found


def _normal(path: str) -> str:
    # The same accented name has two spellings; macOS writes the longer one.
    return unicodedata.normalize("NFC", path.strip())


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]


def _plain_id(path: str) -> str:
    text = _normal(_stem(path)).replace("/", "_")
    text = re.sub(r'[^\S ]|[\x00-\x1f\x7f\ud800-\udfff\\:*?"<>|]|\.\.+', "-", text)
    text = text.strip().lstrip("#.") or "image"  # a list's line may begin with neither
    if len(text.encode()) > LONGEST:
        text = _with_digest(text.encode()[-LONGEST:].decode(errors="ignore").strip(), path)
    return text


def _with_digest(image_id: str, path: str) -> str:
    return f"{image_id}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
