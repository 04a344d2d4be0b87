"""An instances JSON read element by element: parsed as a whole, 450 MB would take gigabytes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

CHUNK = 1 << 23
LARGEST_ELEMENT = 1 << 26
_blank = re.compile(r"[ \t\n\r]*").match
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
    with path.open("rb") as file:
        yield from _Reader(path, file).elements(lists)


class _Reader:
    """The text of a file by pieces. It is read as Latin-1, so that a character is a byte."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.text, self.place = "", 0
        self.start = 0  # the offset in the file of the text's begin
        self.ended = False
        self.more()
        if self.text.startswith("\xef\xbb\xbf"):
            self.place = 3

    def more(self) -> None:
        """Read on, and drop the text before the place."""
        piece = self.file.read(CHUNK)
        self.ended = not piece
        self.text = self.text[self.place :] + piece.decode("latin-1")
        self.start += self.place
        self.place = 0

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            found = _blank(self.text, self.place)
            self.place = found.end() if found else self.place
            if self.place < len(self.text) or self.ended:
                return self.text[self.place : self.place + 1]
            self.more()

    def take(self, accepted: str) -> str:
        """Return the next character, one of those accepted, and step over it."""
        found = self.peek()
        if not found or found not in accepted:
            raise self.broken(f"{found!r} where one of {accepted} is expected")
        self.place += 1
        return found

    def value(self) -> Any:
        """Return the next value, and step over it."""
        self.peek()
        while True:
            try:
                value, end = _decode(self.text, self.place)
            except (ValueError, RecursionError) as error:
                if self.ended or len(self.text) - self.place > LARGEST_ELEMENT:
                    raise self.broken(str(error).partition(":")[0]) from error
            else:
                if end < len(self.text) or self.ended:
                    break
            self.more()
        text, self.place = self.text[self.place : end], end
        return value if text.isascii() else json.loads(text.encode("latin-1"))

    def broken(self, reason: str) -> ValueError:
        """Return the error of a file that cannot be read on."""
        kind = "is cut short, or no JSON" if self.ended else "is no JSON"
        where = self.start + self.place
        return ValueError(f"{self.path}: {kind} at byte {where} ({reason}); download it again")

    def elements(self, lists: set[str]) -> Iterator[Element]:
        """Yield the elements of all outer lists, and add the lists' names to `lists`."""
        self.take("{")
        while self.peek() != "}":
            section = self.value()
            self.take(":")
            if self.peek() == "[":
                lists.add(section)
                yield from self.listed(section)
            else:
                self.value()
            if self.take(",}") == "}":
                return

    def listed(self, section: str) -> Iterator[Element]:
        """Yield the elements of the list that comes next."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            self.peek()
            offset = self.start + self.place
            value = self.value()
            yield Element(section, offset, self.start + self.place - offset, value)
            if self.take(",]") == "]":
                return
