"""An instances JSON read element by element: parsed as a whole, 450 MB would take gigabytes."""

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_blank = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


class Element(NamedTuple):
    """An element of one of the file's outer lists: its list's name, its bytes, its value."""

    section: str
    offset: int
    length: int
    value: Any


def elements(path: Path, *, lists: set[str]) -> Iterator[Element]:
    """Yield the elements of the lists in a JSON's outer object, in their order.

    Args:
        path: the file.
        lists: is given the names of the lists, those that are empty too.

    Raises:
        ValueError: it is cut short, or no JSON with an outer object.
    """
    text = _Text(path)
    text.take("{")
    while text.peek() != "}":
        _, _, section = text.value()
        text.take(":")
        if text.peek() == "[":
            lists.add(section)
            yield from (Element(section, *found) for found in text.listed())
        else:
            text.value()
        if text.take(",}") == "}":
            return


class _Text:
    """The text of a file, read as Latin-1, so that a character is a byte."""

    def __init__(self, path: Path) -> None:
        self.path, self.place, self.text = path, 0, ""
        if path.stat().st_size:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
                self.text = str(m, "latin-1")
        if self.text.startswith("\xef\xbb\xbf"):
            self.place = 3

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        found = _blank.match(self.text, self.place)
        assert found is not None
        self.place = found.end()
        return self.text[self.place : self.place + 1]

    def take(self, accepted: str) -> str:
        """Return the next character, one of those accepted, and step over it."""
        found = self.peek()
        if not found or found not in accepted:
            raise self.broken(f"{found!r} where one of {accepted} is expected")
        self.place += 1
        return found

    def value(self) -> tuple[int, int, Any]:
        """Return the offset, the length and the value that is next, and step over it."""
        self.peek()
        offset = self.place
        try:
            value, end = _decode(self.text, offset)
            if not (text := self.text[offset:end]).isascii():
                value = json.loads(text.encode("latin-1"))
        except (ValueError, RecursionError) as error:
            raise self.broken(str(error).partition(":")[0]) from error
        self.place = end
        return offset, len(text), value

    def listed(self) -> Iterator[tuple[int, int, Any]]:
        """Yield the elements of the list that is next, as `value` returns them."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield self.value()
            if self.take(",]") == "]":
                return

    def broken(self, reason: str) -> ValueError:
        """Return the error of a file that cannot be read on."""
        return ValueError(
            f"{self.path}: is cut short, or no JSON at byte {self.place} ({reason}); download it "
            "again"
        )
