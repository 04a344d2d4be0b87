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
    """A declared setting.

    Attributes:
        default: its default, the voc12 preset's.
        help: its help line.
        rule: the values it accepts, where not all of its type.
        presets: other presets' values.
        group: title of the group that begins with it, in --help and in docs/FLAGS.md.
        shapes: the stages whose results depend on it in every run.
        place: whether it is an output path.
        of: the data sets that read it; empty: any.
        name: its flag's.
        hint: its type.
        owner: the group of `settings_group` that holds it; empty: the dataclass itself.
    """

    default: Any
    help: str
    rule: Rule | None = None
    presets: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    group: str = ""
    shapes: Sequence[str] = ()
    place: bool = False
    of: Sequence[str] = ()
    name: str = ""
    hint: Any = None
    owner: str = ""

    @property
    def member(self) -> str:
        """Return the name of the attribute that holds it, in its group or in the dataclass."""
        return self.name.removeprefix(f"{self.owner}_") if self.owner else self.name


def setting(default: Any, help: str, **options: Any) -> Any:
    """Declare a setting; the options are those of `Declared`, up to `of`."""
    declared = Declared(default=default, help=help, **options)
    return dataclasses.field(default=default, metadata={"declared": declared})


def in_demo(value: Any) -> dict[str, Any]:
    """Return the presets in which the demo uses this value instead."""
    return {"demo": value}


def in_coco(value: Any, *, rib: Any = None) -> dict[str, Any]:
    """Return the presets in which COCO uses this value instead, RIB's variant perhaps another."""
    return {"coco14": value, "coco17": value, "coco14_rib": value if rib is None else rib}


def place(default: str, help: str, **options: Any) -> Any:
    """Declare an output path; the demo preset and --run_dir move it."""
    first, *rest = default.split("/")
    demo = "/".join([first, "demo", *rest]) if rest else f"result/demo/{first}"
    options = {"rule": NOT_EMPTY} | options
    return setting(default, help, presets=in_demo(demo), place=True, **options)


def stage_pass(stage: str, **options: Any) -> Any:
    """Declare the flag that switches a stage on or off."""
    return setting(None, f"run the stage {stage}", **options)


def value(
    default: Any, *, help: str = "", shapes: Sequence[str] = (), **presets: Any
) -> dict[str, Any]:
    """Return a group's default and presets of a member; its help and stages, where its own."""
    own = {"default": default, "presets": presets, "shapes": shapes}
    return own | {"help": help} if help else own


def settings_group(kind: type, *, shapes: Sequence[str], **values: dict[str, Any]) -> Any:
    """Declare a group of settings; each member's flag begins with the group's name.

    Args:
        kind: the dataclass that declares its members.
        shapes: the stages that all of it shapes.
        values: each member's `value`, in the order of the flags; the others have no flag.
    """
    members = {field.name: field.metadata["declared"] for field in dataclasses.fields(kind)}
    declared = {
        name: dataclasses.replace(members[name], **own | {"shapes": (*shapes, *own["shapes"])})
        for name, own in values.items()
    }
    default = kind(**{name: own["default"] for name, own in values.items()})
    return dataclasses.field(default=default, metadata={"members": declared})


def declared_in(kind: type) -> dict[str, Declared]:
    """Return a dataclass's settings by the name of their flag, in the order of declaration."""
    found, hints = [], typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, hint = field.name, hints[field.name]
        if "declared" in field.metadata:
            found.append(dataclasses.replace(field.metadata["declared"], name=name, hint=hint))
            continue
        inner = typing.get_type_hints(hint)
        found += [
            dataclasses.replace(own, name=f"{name}_{member}", hint=inner[member], owner=name)
            for member, own in field.metadata["members"].items()
        ]
    return {setting.name: setting for setting in found}
