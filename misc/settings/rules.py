"""The values that a setting accepts."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True)
class Rule:
    """The values that a setting accepts: a test, and its description."""

    holds: Callable[[Any], bool]
    accepted: str


# Of torchvision; the published networks are ResNet-50s.
BACKBONES = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "wide_resnet50_2",
)

POSITIVE = Rule(lambda value: 0 < value < math.inf, "a number above 0")
NOT_NEGATIVE = Rule(lambda value: value >= 0, "0 or more")
RADIUS = Rule(lambda value: value >= 2, "2 or more")
# 2 to this power steps: a million, which no image needs.
DOUBLINGS = Rule(lambda value: 0 <= value <= 20, "a whole number from 0 to 20")
SEED = Rule(lambda value: 0 <= value < 2**64, "a whole number from 0 to 2^64 - 1")
UNIT = Rule(lambda value: 0 <= value <= 1, "a number from 0 to 1")
UNIT_RANGE = Rule(
    lambda values: len(values) == 2 and 0 <= values[0] < values[1] <= 1,
    "two increasing numbers from 0 to 1, as 0.05,0.9",
)
CROP = Rule(lambda value: value > 0 and value % 16 == 0, "a positive multiple of 16")
PADDING = Rule(lambda value: value >= 0 and value % 16 == 0, "0 or a positive multiple of 16")
A_PATH = Rule(lambda value: value != "", "a path")
# A part of file names, also of outputs.
IMAGE_ID = Rule(
    lambda value: value != "" and not re.search(r"/|\\|\.\.|[\x00-\x1f]", value),
    "an image's id, without '/', '\\', '..' and control characters",
)
A_FILE = Rule(
    lambda value: PurePath(value).name not in ("", "..") and not value.endswith(("/", "/.")),
    "the path of a file",
)
SCALES = Rule(
    lambda values: len(values) > 0 and all(0 < value < math.inf for value in values),
    "at least one number above 0, for example 1.0,0.5",
)
# That none exceeds the last step is checked where both are known.
DROPS = Rule(
    lambda values: list(values) == sorted(set(values)) and all(value > 0 for value in values),
    "increasing steps above 0, for example 12000,16000, or '' for a constant learning rate",
)
LONG_SIDE = Rule(
    lambda values: len(values) == 2 and 0 < values[0] <= values[1],
    "the smallest and the largest length, for example 320,640",
)


def some_of(*choices: str) -> Rule:
    """Accept one or more of a few words, none twice."""
    return Rule(
        lambda values: 0 < len(set(values)) == len(values) and set(values) <= set(choices),
        f"some of {', '.join(choices)}, for example {choices[0]},{choices[-1]}",
    )


def word_or_module(*choices: str) -> Rule:
    """Accept one of a few words, or the name of a module."""
    return Rule(
        lambda value: value in choices or all(part.isidentifier() for part in value.split(".")),
        f"{' or '.join(choices)}, or a module, for example my_data",
    )


def one_of(*choices: str) -> Rule:
    """Accept one of a few words."""
    return Rule(lambda value: value in choices, " or ".join(choices))
