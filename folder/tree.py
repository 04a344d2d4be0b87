"""The photographs below a folder, and the image that a row of labels names."""

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path


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
            inside[:] = sorted(name for name in inside if name[0] != ".")
            left += filter(os.path.islink, (os.path.join(folder, name) for name in inside))
            below = Path(folder).relative_to(root)
            yield from ((below / name).as_posix() for name in names if name[0] != ".")


class Names:
    """Which image a row of labels means: by its path, that without ending, its id, its own name."""

    def __init__(self, root: Path, paths: Mapping[str, str]) -> None:
        self._root = root
        exact = _ids_by_name(paths, lambda path: path)
        stems = _ids_by_name(paths, lambda path: os.path.splitext(path)[0])
        bare = _ids_by_name(paths, lambda path: path.rpartition("/")[2])
        self._known = {**bare, **stems, **{i: [i] for i in paths}, **exact}

    def find(self, name: str, place: str) -> str | None:
        """Return the id of the image that a path means, either slash between its parts.

        The path may also be absolute, or begin with the folder's own name. None where there is no
        image. `place` is where it is written, for messages.
        """
        path = _normal(name.replace("\\", "/")).removeprefix("./")
        forms = [path, path.removeprefix(f"{self._root.name}/")]
        forms += [path.removeprefix(f"{_normal(self._root.absolute().as_posix())}/")]
        found = next((self._known[form] for form in forms if form in self._known), [])
        if len(found) > 1:
            raise ValueError(
                f"{place}: {name!r} is the name of {len(found)} images; write the whole path"
            )
        return found[0] if found else None


def _ids_by_name(paths: Mapping[str, str], name: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for image_id, path in paths.items():
        found.setdefault(_normal(name(path)), []).append(image_id)
    return found


def _normal(path: str) -> str:
    # The same accented name has two spellings; macOS writes the longer one.
    return unicodedata.normalize("NFC", path.strip())
