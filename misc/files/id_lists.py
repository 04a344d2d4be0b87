"""Text files of image ids, one a line."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from misc.settings.declare import IMAGE_ID

# Behind an image's id or path, lists of other programs have a label's path, or numbers of classes.
_FIRST = re.compile(r"(.+?\.(?:jpe?g|png)|\S*\d{4})(?:\s+\S*/.+|(?:\s+\d+)+)", re.IGNORECASE)
_log = logging.getLogger(__name__)


def read_list(path: Path, *, parse: Callable[[str, str], str] | None = None) -> list[str]:
    """Read a text file of image ids, in its order.

    A line is an id or the path of an image, then perhaps that of a label, or numbers of classes;
    or what `parse` takes: a line, and its place in the file.
    Blank lines and lines that start with '#' are skipped, repeated ids are dropped with a warning.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of image ids")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a UTF-8 text file of image ids ({error})") from error
    ids = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line and not line.startswith("#"):
            ids.append((parse or _parse_line)(line, f"{path}, line {number}"))
    unique = list(dict.fromkeys(ids))
    if not unique:
        raise ValueError(f"{path}: no image id in it; one id a line is expected")
    if len(unique) < len(ids):
        _log.warning("%s: %d repeated image ids dropped", path, len(ids) - len(unique))
    return unique


def list_file(name: str, *, splits: Sequence[str]) -> Path:
    """Return the path of a text file of ids; a name that is neither a file nor a split is refused.

    Raises:
        FileNotFoundError: there is no such file, and the name is a path's.
    """
    path = Path(name)
    if path.is_file():
        return path
    accepted = f"accepted are {', '.join(splits)} or a text file of image ids"
    if path.suffix or len(path.parts) > 1:
        raise FileNotFoundError(f"list {name!r}: no such file; {accepted}")
    raise ValueError(f"unknown split {name!r}; {accepted}")


def image_in(line: str) -> str:
    """Return the id or path of the image that a line begins with."""
    found = _FIRST.fullmatch(line)
    return found[1] if found else line


def _parse_line(line: str, place: str) -> str:
    image = image_in(line)
    is_file = image.lower().endswith((".jpg", ".jpeg", ".png"))
    image_id = PurePosixPath(image).stem if is_file else image
    if not IMAGE_ID.holds(image_id):
        raise ValueError(
            f"{place}: {image_id!r} is no image id, which has no '/', '\\', '..' or control "
            "character: write the name of the image's file without its ending (with --dataset "
            "folder a_b for a/b.jpg)"
        )
    return image_id
