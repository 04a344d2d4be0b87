"""The classes of PASCAL VOC, and image-level labels from the devkit's XML files."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

# The devkit's own order, alphabetical: the index is the class id.
_NAMES = """
aeroplane bicycle bird boat bottle bus car cat chair cow
diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor
"""
CLASS_NAMES: tuple[str, ...] = tuple(_NAMES.split())


def read_classes(path: Path) -> list[int]:
    """Read one annotation file: the class ids of its objects, each once, ascending.

    Objects marked difficult or truncated count; the parts of an object (head, hand) do not.
    """
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such file; the image-level labels of {path.stem!r} come from it"
        ) from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"{path}: broken XML ({error})") from error
    if root.tag != "annotation":
        raise ValueError(f"{path}: not a VOC annotation: its outer element is <{root.tag}>")
    names = {(found.findtext("name") or "").strip() for found in root.findall("object")}
    unknown = sorted(names.difference(CLASS_NAMES))
    if unknown:
        raise ValueError(
            f"{path}: unknown class {unknown[0]!r}; accepted are {', '.join(CLASS_NAMES)}"
        )
    return sorted(CLASS_NAMES.index(name) for name in names)
