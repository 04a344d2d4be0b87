"""A network's metadata: its classes, colours and settings, in the record beside its weights.

With it --predict needs neither a data set nor other flags.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from misc.settings.config import SETTINGS

FIELD = "network"  # of the record
# The networks whose weights each --predict_network needs.
PREDICTS = {"mask_rcnn": ("mask_rcnn",), "deeplab": ("deeplab",), "irn": ("cam", "irn")}
# The networks that --export writes, where their weights are.
EXPORTS = ("mask_rcnn", "deeplab", "cam")
# The stages that use a network as --predict does.
STAGES = {
    **dict.fromkeys(("cam", "recam", "lpcam", "amn"), ("make_cam",)),
    "irn": ("make_ins_seg_labels", "make_sem_seg_labels"),
    "mask_rcnn": ("eval_mask_rcnn",),
    "deeplab": ("eval_deeplab",),
}
# Importing a module runs it: what a file names is not imported unless a flag names it, too.
MODULES = ("cam_network", "irn_network")


@dataclass(frozen=True, kw_only=True)
class NetworkMetadata:
    """What a weights file's record says of the network.

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


def settings_in_use(network: str) -> list[str]:
    """Return the settings with which a network is used, which its metadata hold."""
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
    category_ids: Sequence[int],
    palette: bytes,
) -> dict[str, Any]:
    """Return the metadata of a network with these values of all settings, as plain JSON."""
    settings = {name: values[name] for name in settings_in_use(network)}
    if network == "deeplab":
        settings["deeplab_backbone"] = values["deeplab_backbone"] or values["backbone"]
    return {
        "dataset": dataset,
        "class_names": list(class_names),
        "category_ids": list(category_ids),
        "palette": palette.hex(),
        "settings": settings,
    }


def read_metadata(weights: str | os.PathLike[str], network: str) -> NetworkMetadata:
    """Read what the record beside a network's weights says of it.

    Raises:
        FileNotFoundError: there are no such weights; names the stage that makes them.
        ValueError: the record says nothing, is broken, or a setting in it is of another type.
    """
    flag, record = f"{network}_weights_name", record_path(weights)
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"--{flag} {weights}: no such file; the stage train_{network} makes it: "
            f"--train_{network}_pass True, or name the weights with --{flag}"
        )
    try:
        found = json.loads(record.read_text(encoding="utf-8")).get(FIELD)
    except FileNotFoundError:
        found = None
    except (ValueError, RecursionError, AttributeError) as error:
        raise ValueError(f"{record}: not readable ({error})") from error
    if found is None:
        raise ValueError(
            f"--{flag} {weights}: {record} does not say what the network knows; run its training "
            f"once more, which only notes it: --train_{network}_pass True with the same flags"
        )
    try:
        return _metadata(network, found)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{record}: its {FIELD!r} is broken ({error}); run the training once more, which "
            "writes it anew"
        ) from error


def _metadata(network: str, found: Any) -> NetworkMetadata:
    stored = found["settings"]
    return NetworkMetadata(
        dataset=found["dataset"],
        class_names=tuple(found["class_names"]),
        category_ids=tuple(found["category_ids"]),
        palette=bytes.fromhex(found["palette"]),
        settings={
            n: SETTINGS[n].from_json(stored[n]) for n in settings_in_use(network) if n in stored
        },
    )
