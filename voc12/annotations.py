"""Image-level labels from the devkit's XML files."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from voc12.names import CLASS_NAMES


def read_classes(path: Path) -> list[int]:
    """Read one annotation file: the class ids of its objects, each once, ascending.

    Objects marked difficult or truncated count; the parts of an object (head, hand) do not.
    """
    root = _parse(path)
    if root.tag != "annotation":
        raise ValueError(f"{path}: not a VOC annotation: its outer element is <{root.tag}>")
    names = {(found.findtext("name") or "").strip() for found in root.findall("object")}
    unknown = sorted(names.difference(CLASS_NAMES))
    if unknown:
        raise ValueError(
            f"{path}: unknown class {unknown[0]!r}; accepted are {', '.join(CLASS_NAMES)}"
        )
    return sorted(CLASS_NAMES.index(name) for name in names)


def _parse(path: Path) -> ElementTree.Element:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such file; the image-level labels of {path.stem!r} come from it"
        ) from None
    # Entities could expand without end; without zero bytes UTF-16 cannot hide their declaration.
    letters = content.replace(b"\0", b"")
    if b"<!DOCTYPE" in letters or b"<!ENTITY" in letters:
        raise ValueError(f"{path}: declares a DOCTYPE or ENTITY, which no VOC annotation needs")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"{path}: broken XML ({error})") from error
