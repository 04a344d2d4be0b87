"""How a setting is declared: its default, its help, what it accepts, other presets' values."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from misc.settings.rules import NOT_EMPTY, Rule


def setting(
    default: Any,
    help: str,
    *,
    rule: Rule | None = None,
    presets: Mapping[str, Any] | None = None,
    group: str = "",
) -> Any:
    """Declare a setting.

    Args:
        default: its default, the voc12 preset's.
        help: its help line.
        rule: the values it accepts, where not all of its type.
        presets: other presets' values.
        group: title of the group that begins with it, in --help and in docs/FLAGS.md.
    """
    return _declared(default, help=help, rule=rule, presets=presets or {}, group=group)


def in_demo(value: Any) -> dict[str, Any]:
    """Return the presets in which the demo uses this value instead."""
    return {"demo": value}


def in_coco(value: Any, *, rib: Any = None) -> dict[str, Any]:
    """Return the presets in which COCO uses this value instead, RIB's variant perhaps another."""
    return {"coco14": value, "coco17": value, "coco14_rib": value if rib is None else rib}


def place(default: str, help: str, *, group: str = "") -> Any:
    """Declare an output path; the demo preset and --run_dir move it."""
    first, *rest = default.split("/")
    demo = "/".join([first, "demo", *rest]) if rest else f"result/demo/{first}"
    return _declared(
        default, help=help, rule=NOT_EMPTY, presets=in_demo(demo), group=group, place=True
    )


def stage_pass(stage: str, *, group: str = "") -> Any:
    """Declare the flag that switches a stage on or off."""
    return setting(None, f"run the stage {stage}", group=group)


def _declared(default: Any, **metadata: Any) -> Any:
    return field(default=default, metadata=metadata)
