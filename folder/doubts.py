"""What in class names that nobody listed speaks for a form that was meant otherwise."""

import re
from collections.abc import Sequence

SHOWN = 3
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
BACKGROUND = {"background", "bg", "none", "nothing", "negative", "no finding", "unlabeled"}
BACKGROUND |= {"unlabelled", "void", "empty"}


def is_background(name: str) -> bool:
    """Return whether a name is that of what is no class."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold() in BACKGROUND


def doubts(names: Sequence[str]) -> list[str]:
    """Return a line for each kind of name that is probably no class's."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    pairs = [" and ".join(map(repr, found)) for found in alike.values() if len(found) > 1]
    kinds = [
        (
            "classes differ by upper and lower case alone: {}; they are learnt as several, a file "
            "--class_names refuses those that are not in it",
            pairs,
        ),
        ("{}: several classes in one name? They are written class;class", _joined(names)),
        (
            "{}: taken for a class; an image without any has an empty list, and --class_names FILE "
            "without this name reads it so",
            [repr(name) for name in names if is_background(name)],
        ),
        (
            "{}: folders of a split? They are taken for classes; pass --labels, or sort the images "
            "into one folder for each class",
            [repr(name) for name in names if name.casefold() in SPLITS],
        ),
    ]
    return [words.format(_some(found)) for words, found in kinds if found]


def _joined(names: Sequence[str]) -> list[str]:
    """Return the names with a separator in them: always of ',' and '|', else if a part is one."""
    known = set(names)
    return [
        repr(name)
        for name in names
        if re.search("[,|]", name) or (known & set(re.split(r"[\s/+&]+", name))) - {name}
    ]


def _some(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
