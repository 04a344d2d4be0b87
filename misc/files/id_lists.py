"""Text files of image ids, one a line."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from misc.settings.rules import IMAGE_ID

_PUBLISHED_LINE = re.compile(r"/JPEGImages/(?P<id>.+?)\.jpg(\s+/.*)?")
_log = logging.getLogger(__name__)


def read_list(path: Path, *, parse: Callable[[str, str], str] | None = None) -> list[str]:
    """Read a text file of image ids, in its order.

    A line is an id, or the published program's "/JPEGImages/ID.jpg /SegmentationClassAug/ID.png",
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


def _parse_line(line: str, place: str) -> str:
    image_id = line
    if line.startswith("/"):
        published = _PUBLISHED_LINE.fullmatch(line)
        if published is None:
            raise ValueError(
                f"{place}: {line!r} is no image id; accepted are an id, or "
                "'/JPEGImages/ID.jpg /SegmentationClassAug/ID.png'"
            )
        image_id = published["id"]
    if not IMAGE_ID.holds(image_id):
        raise ValueError(
            f"{place}: {image_id!r} is no image id, which has no '/', '\\', '..' or control "
            "character: write the name of the image's file without its ending (with --dataset "
            "folder a_b for a/b.jpg)"
        )
    return image_id
