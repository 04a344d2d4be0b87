"""The photographs below a folder, and the image that a path in a file means."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from misc.files.images import photograph_formats

# How a path fits an image: as it is written, by its bare name, or but for ending and prefix.
EXACT, BARE, ALMOST = range(3)
# Label Studio puts eight hexadecimal digits before the names of uploaded files; a date is none.
UPLOADED = re.compile(r"(?!(19|20)\d\d[01]\d[0-3]\d)[0-9a-f]{8}(-|__)(?=.)")
# What may stand behind the image's name in that of its mask.
MASK_WORD = re.compile(
    r"[\s._-]+(masks?|seg|segmentation|labels?|gt|instances?|semantic)$", re.IGNORECASE
)
PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
PARTS |= {"val": "val", "valid": "val", "validation": "val", "validate": "val"}
PARTS |= {"dev": "val", "eval": "val", "holdout": "test"}
PART = re.compile(rf"({'|'.join(PARTS)})([\s_-]*(set|data|images|imgs|\d{{4}}))?", re.IGNORECASE)


def files_below(root: Path, *, but: Path | None = None) -> Iterator[str]:
    """Yield the path below a folder of each file in it, with '/'; hidden ones are left out.

    Links to folders are followed, after all else and each folder once: two may lead in a circle.
    """
    seen = set() if but is None else {os.path.realpath(but)} - {os.path.realpath(root)}
    left = [os.fspath(root)]
    while left:
        for folder, inside, names in os.walk(left.pop(0)):
            if (real := os.path.realpath(folder)) in seen:
                inside.clear()
                continue
            seen.add(real)
            # Synology keeps thumbnails in @eaDir.
            inside[:] = sorted(name for name in inside if name[0] != "." and name != "@eaDir")
            left += filter(os.path.islink, (os.path.join(folder, name) for name in inside))
            below = Path(folder).relative_to(root)
            yield from ((below / name).as_posix() for name in names if name[0] != ".")


class Names:
    """Which image a path means: by its path, that without ending, its id, its bare name."""

    def __init__(self, root: Path, paths: Mapping[str, str]) -> None:
        self.root, self.paths = root, paths
        exact = _ids_by_name(paths, lambda path: path)
        stems = _ids_by_name(paths, stem)
        self._exact = {**stems, **{i: [i] for i in paths}, **exact}
        self._bare = _ids_by_name(paths, bare)
        self._stems = _ids_by_name(paths, lambda path: bare(stem(path)))
        self._numbers = _ids_by_name(paths, lambda path: _number(bare(stem(path))))

    def match(self, name: str, folders: Sequence[str] = ()) -> tuple[list[str], int]:
        """Return the ids of the images that a path may mean, and how well it fits them.

        The path has either slash between its parts; it may be absolute, a URL, or begin with the
        folder's own name or one of `folders`, which lie below it. Where it does not fit exactly,
        a path in a folder val never means an image in a folder train.
        """
        path = normal(name.replace("\\", "/")).removeprefix("./")
        whole = normal(self.root.absolute().as_posix())
        forms = [path, path.removeprefix(f"{self.root.name}/"), path.removeprefix(f"{whole}/")]
        forms += [f"{folder}/{path}" for folder in folders]
        for form in forms:
            if form in self._exact:
                return self._exact[form], EXACT
        if "%" in path or "?" in path:
            path = unquote(path.partition("?d=")[2] or path)
        plain = UPLOADED.sub("", bare(path))
        for known, form, fit in (
            (self._exact, path, EXACT),
            (self._bare, bare(path), BARE),
            (self._stems, bare(path), BARE),
            (self._bare, plain, ALMOST),
            (self._stems, stem(plain) if is_photograph(plain) else plain, ALMOST),
            (self._numbers, _digits(plain), ALMOST),
        ):
            found = [i for i in known.get(form, ()) if form and _same_part(path, self.paths[i])]
            if found:
                return found, fit
        return [], ALMOST

    def has(self, name: str) -> bool:
        """Return whether a path means an image."""
        return bool(self.match(name)[0])

    def only(self, name: str, place: str, folders: Sequence[str] = ()) -> tuple[str, int]:
        """Return the id of the image that a path means, or nothing, and how well it fits.

        Raises:
            ValueError: it may mean several images; names the place.
        """
        ids, fit = self.match(name, folders)
        if len(ids) > 1:
            raise ValueError(
                f"{place}: {name!r} is the name of {len(ids)} images; write the whole path"
            )
        return (ids[0] if ids else ""), fit


@cache
def endings() -> tuple[str, ...]:
    """Return the endings of photographs, in lower case."""
    return tuple(photograph_formats())


def is_photograph(path: str) -> bool:
    """Return whether a path ends as photographs do."""
    return path.lower().endswith(endings())


def part_of(name: str) -> str:
    """Return train, val or test, where a folder is called so, or like it; else nothing."""
    found = PART.fullmatch(name)
    return PARTS[found[1].lower()] if found else ""


def _same_part(path: str, other: str) -> bool:
    """Return whether the folders of two paths may be of the same part of a split."""
    first, second = ({part_of(name) for name in p.split("/")[:-1]} - {""} for p in (path, other))
    return not first or not second or bool(first & second)


def stem(path: str) -> str:
    """Return a path without its ending."""
    return os.path.splitext(path)[0]


def bare(path: str) -> str:
    """Return the last part of a path."""
    return path.rpartition("/")[2]


def _number(name: str) -> str:
    """Return the number that a name is, as some write 2007_000032 or 000000000139."""
    return _digits(name.replace("_", ""))


def _digits(text: str) -> str:
    """Return a number without zeros before it; nothing for other text."""
    return (text.lstrip("0") or "0") if text.isdecimal() else ""


def _ids_by_name(paths: Mapping[str, str], name: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for image_id, path in paths.items():
        found.setdefault(normal(name(path)), []).append(image_id)
    return found


def normal(text: str) -> str:
    """Return a name without space around it; an accented one has two spellings, of which NFC."""
    return unicodedata.normalize("NFC", text.strip())
