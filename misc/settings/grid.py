"""The grid of settings that --sweep measures labels over."""

import itertools
from decimal import Decimal
from typing import Any

from misc.settings.config import SETTINGS

# What changes how labels are made of CAMs and IRNet's fields, and no network's own work.
SWEPT = (
    "cam_power",
    "walk",
    "walk_radius",
    "beta",
    "exp_times",
    "small_displacement",
    "ins_seg_split",
    "ins_seg_bg_thres",
    "sem_seg_bg_thres",
    "walk_background",
    "ins_seg_score",
    "ins_seg_min_area",
    "ins_seg_crf",
    "sem_seg_crf",
)
MOST = 1000  # points; a table of more is read by nobody


def read_grid(text: str) -> dict[str, list[Any]]:
    """Return the values of each setting of a grid like `sem_seg_bg_thres=0.15:0.35:0.05 beta=5,10`.

    A setting's values are a list, or first:last:step with both ends.

    Raises:
        ValueError: in one line, what is wrong with it.
    """
    axes: dict[str, list[Any]] = {}
    count = 1
    for part in text.split():
        name, equals, words = part.partition("=")
        if not equals or name not in SWEPT:
            raise _refused(part, f"accepted is NAME=VALUES, the names being {', '.join(SWEPT)}")
        if name in axes:
            raise _refused(part, f"{name} is there twice; name all its values at once")
        axes[name] = [_value(name, part, word) for word in _listed(part, words)]
        if len(set(axes[name])) < len(axes[name]):
            raise _refused(part, "a value is there twice")
        count *= len(axes[name])
        if count > MOST:
            raise _refused(text, f"more than {MOST} settings; take fewer values")
    if not axes:
        raise _refused(text, "names no setting; accepted is NAME=VALUES, for example beta=5,10")
    return axes


def points(axes: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the values, the last setting's changing first."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _listed(part: str, words: str) -> list[str]:
    """Return the values that are listed, or those of a range, as they would be typed."""
    if ":" not in words:
        return words.split(",")
    try:
        first, last, step = (Decimal(word) for word in words.split(":"))
        steps = (last - first) / step
    except (ValueError, ArithmeticError):
        steps = Decimal("NaN")
    if not steps.is_finite() or step <= 0 or steps < 0:
        raise _refused(part, "a range is FIRST:LAST:STEP with FIRST ≤ LAST and a STEP above 0")
    if steps >= MOST:
        raise _refused(part, f"more than {MOST} settings; take fewer values")
    # Decimals: 0.15 and twice 0.1 are 0.35, not 0.35000000000000003.
    return [format(first + number * step, "f") for number in range(int(steps) + 1)]


def _value(name: str, part: str, word: str) -> Any:
    try:
        value = SETTINGS[name].parse(word)
        SETTINGS[name].check(value)
    except ValueError as error:
        raise _refused(part, str(error)) from None
    return value


def _refused(part: str, reason: str) -> ValueError:
    return ValueError(f"--sweep {part or repr(part)}: {reason}")
