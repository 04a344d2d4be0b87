"""What weights tell about themselves: classes, colours and settings, noted by their training.

With the note in the JSON beside them, --predict needs neither a data set nor other flags.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from misc.settings.config import SETTINGS
from misc.settings.declare import format_value

NOTE = "network"
# The networks whose weights each --predict_network needs.
PREDICTS = {"mask_rcnn": ("mask_rcnn",), "deeplab": ("deeplab",), "irn": ("cam", "irn")}
# The stages that use a network as --predict does.
STAGES = {
    "cam": ("make_cam",),
    "irn": ("make_ins_seg_labels", "make_sem_seg_labels"),
    "mask_rcnn": ("eval_mask_rcnn",),
    "deeplab": ("eval_deeplab",),
}
# Importing a module runs it: what a file names is not imported unless a flag names it, too.
MODULES = ("cam_network", "irn_network")
LARGEST = 1 << 20  # bytes of a record
MOST_CLASSES = 254  # a label is 8-bit: 0 is the background, 255 is ignored
_COLOURS = 256 * 3


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is noted beside a weights file.

    Attributes:
        dataset: name of the data set that the network was trained on.
        class_names: of its foreground classes.
        category_ids: of the classes, in annotations.
        palette: the colours of labels, 256 times R, G, B.
        settings: by flag, those with which the network is used.
    """

    dataset: str
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    palette: bytes
    settings: Mapping[str, Any]


def record_path(weights: str | os.PathLike[str]) -> Path:
    """Return the path of the JSON beside a weights file."""
    return Path(f"{os.fspath(weights)}.json")


def names_told(network: str) -> list[str]:
    """Return the settings that the weights of a network tell."""
    stages = set(STAGES[network])
    return [
        name
        for name, found in SETTINGS.items()
        if not found.is_output and stages & set(found.affects)
    ]


def describe(
    network: str,
    values: Mapping[str, Any],
    *,
    dataset: str,
    class_names: Sequence[str],
    palette: bytes,
    category_ids: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the note of a network, as plain JSON; `read_told` reads it.

    Args:
        network: `cam`, `irn`, `mask_rcnn` or `deeplab`.
        values: of all settings, by flag, as plain JSON.
        dataset: name of the data set.
        class_names: of the foreground classes.
        palette: the colours of labels, 256 times R, G, B.
        category_ids: of the classes, in annotations; by default 1 to C.
    """
    settings = {name: values[name] for name in names_told(network)}
    if network == "deeplab":
        settings["deeplab_backbone"] = values["deeplab_backbone"] or values["backbone"]
    return {
        "dataset": dataset,
        "class_names": list(class_names),
        "category_ids": list(category_ids or range(1, len(class_names) + 1)),
        "palette": palette.hex(),
        "settings": settings,
    }


def read_told(weights: str | os.PathLike[str], network: str) -> Told:
    """Read what is noted beside a network's weights.

    Raises:
        FileNotFoundError: there are no such weights; names the stage that makes them.
        ValueError: there is no note, it is broken, or a setting in it is not accepted.
    """
    flag, record = f"{network}_weights_name", record_path(weights)
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"--{flag} {weights}: no such file; the stage train_{network} makes it: "
            f"--train_{network}_pass True, or name the weights with --{flag}"
        )
    note = _note(record)
    if note is None:
        raise ValueError(
            f"--{flag} {weights}: {record} does not say what the network knows; run its training "
            f"once more, which only notes it: --train_{network}_pass True with the same flags"
        )
    try:
        return _checked(network, note)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{record}: its note is broken ({error}); run the training once more, which notes it"
        ) from error


def told_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the weights of --predict tell, of a run's values of all settings.

    Raises:
        FileNotFoundError, ValueError: as `read_told`.
    """
    told: dict[str, Any] = {}
    for network in PREDICTS.get(values["predict_network"], ()):
        told |= read_told(values[f"{network}_weights_name"], network).settings
    return told


def _note(record: Path) -> Any:
    try:
        if record.stat().st_size > LARGEST:
            raise ValueError(f"{record}: larger than a record is")
        content = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{record}: not readable ({error})") from error
    notes = content.get("notes") if isinstance(content, dict) else None
    return notes.get(NOTE) if isinstance(notes, dict) else None


def _checked(network: str, note: Any) -> Told:
    names, palette = note["class_names"], bytes.fromhex(note["palette"])
    if not (isinstance(names, list) and 0 < len(names) <= MOST_CLASSES):
        raise ValueError(f"accepted are 1 to {MOST_CLASSES} class_names")
    if not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names):
        raise ValueError("a class has no name")
    categories = note["category_ids"]
    if len(categories) != len(names) or not all(isinstance(n, int) for n in categories):
        raise ValueError("a class has no category_ids")
    if len(palette) != _COLOURS:
        raise ValueError(f"a palette of {len(palette)} bytes, accepted are {_COLOURS}")
    stored = note["settings"]
    settings = {n: SETTINGS[n].from_json(stored[n]) for n in names_told(network) if n in stored}
    for name, value in settings.items():
        rule = SETTINGS[name].rule
        if rule is not None and value is not None and not rule.holds(value):
            raise ValueError(f"{name} is {format_value(value)}, accepted is {rule.accepted}")
    return Told(
        dataset=str(note["dataset"])[:200],
        class_names=tuple(names),
        category_ids=tuple(categories),
        palette=palette,
        settings=settings,
    )
