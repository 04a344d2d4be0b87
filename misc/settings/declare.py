"""How a setting is declared: its default, its help, what it accepts, what it shapes."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from misc.settings.rules import NOT_EMPTY, Rule

# In a group of settings: the default is each group's own.
EACH = dataclasses.MISSING


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declared:
    """A declared setting; the functions below say what it is made of.

    Attributes:
        name: its flag's.
        hint: its type.
        owner: the group that holds it, or empty: the dataclass itself.
    """

    name: str
    hint: Any
    owner: str = ""
    default: Any
    help: str
    rule: Rule | None
    presets: Mapping[str, Any]
    title: str
    place: bool
    shapes: Sequence[str]

    @property
    def member(self) -> str:
        """Return the name of the attribute that holds it, in its group or in the dataclass."""
        return self.name.removeprefix(f"{self.owner}_") if self.owner else self.name


def setting(
    default: Any,
    help: str,
    *,
    rule: Rule | None = None,
    presets: Mapping[str, Any] | None = None,
    group: str = "",
    shapes: Sequence[str] = (),
    place: bool = False,
) -> Any:
    """Declare a setting.

    Args:
        default: its default, the voc12 preset's.
        help: its help line.
        rule: the values it accepts, where not all of its type.
        presets: other presets' values.
        group: title of the group that begins with it, in --help and in docs/FLAGS.md.
        shapes: the stages whose results depend on it in every run.
        place: whether it is an output path.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "rule": rule,
            "presets": presets or {},
            "title": group,
            "shapes": shapes,
            "place": place,
        },
    )


def in_demo(value: Any) -> dict[str, Any]:
    """Return the presets in which the demo uses this value instead."""
    return {"demo": value}


def place(default: str, help: str, *, group: str = "", shapes: Sequence[str] = ()) -> Any:
    """Declare an output path; the demo preset and --run_dir move it."""
    first, *rest = default.split("/")
    demo = "/".join([first, "demo", *rest]) if rest else f"result/demo/{first}"
    return setting(
        default,
        help,
        rule=NOT_EMPTY,
        presets=in_demo(demo),
        group=group,
        shapes=shapes,
        place=True,
    )


def stage_pass(stage: str, *, group: str = "") -> Any:
    """Declare the flag that switches a stage on or off."""
    return setting(None, f"run the stage {stage}", group=group)


def value(
    default: Any, *, help: str | None = None, shapes: Sequence[str] = (), **presets: Any
) -> dict[str, Any]:
    """Return a group's values of a member: default and other presets', and what is its own."""
    own = {"default": default, "presets": presets, "shapes": shapes}
    return own if help is None else own | {"help": help}


def settings_group(kind: type, *, shapes: Sequence[str], **values: dict[str, Any]) -> Any:
    """Declare a group of settings; each member's flag begins with the group's name.

    Args:
        kind: the dataclass that declares its members.
        shapes: the stages that all of it shapes.
        values: each member's `value`, in the order of the flags; the others have no flag.
    """
    declared = {member.name: member.metadata for member in dataclasses.fields(kind)}
    members = {
        name: {**declared[name], **own, "shapes": (*shapes, *own["shapes"])}
        for name, own in values.items()
    }
    defaults = {name: own["default"] for name, own in values.items()}
    return dataclasses.field(default=kind(**defaults), metadata={"members": members})


def declared_in(kind: type) -> dict[str, Declared]:
    """Return a dataclass's settings by the name of their flag, in the order of declaration."""
    found, hints = [], typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if "members" not in field.metadata:
            own = {"name": field.name, "hint": hints[field.name], "default": field.default}
            found.append(Declared(**own, **field.metadata))
            continue
        inner = typing.get_type_hints(hints[field.name])
        found += [
            Declared(name=f"{field.name}_{name}", hint=inner[name], owner=field.name, **metadata)
            for name, metadata in field.metadata["members"].items()
        ]
    return {setting.name: setting for setting in found}
