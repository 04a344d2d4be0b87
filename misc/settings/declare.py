"""How a setting is declared, which values it accepts, and how they are read from text and JSON."""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

# A preset has the values of another one where it has none of its own.
BASE_PRESET = {"coco17": "coco14", "coco14_rib": "coco14"}
_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """The values that a setting accepts: a test, and its description."""

    holds: Callable[[Any], bool]
    accepted: str


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """A declared setting.

    Attributes:
        default: its default, the voc12 preset's.
        help: its help line.
        rule: the values it accepts, where not all of its type.
        presets: other presets' values.
        group: title of the group that begins with it, in --help and in docs/FLAGS.md.
        affects: the stages whose results depend on it, besides those that read what it names.
        is_output: whether it is an output path.
        of: the data sets, networks of --predict or --cam_methods that read it; empty: any.
        name: its flag's.
        hint: its type, without the None of an optional one.
        optional: whether None is a value.
    """

    default: Any
    help: str
    rule: Rule | None = None
    presets: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    group: str = ""
    affects: Sequence[str] = ()
    is_output: bool = False
    of: Sequence[str] = ()
    name: str = ""
    hint: Any = None
    optional: bool = False

    @property
    def kind(self) -> str:
        """Return the name of its type, for example float or int,..."""
        if typing.get_origin(self.hint) is tuple:
            return f"{self.hint.__args__[0].__name__},..."
        return str(self.hint.__name__)

    def preset(self, name: str, cam_method: str = "cam") -> Any:
        """Return its value in a preset; a value of a --cam_method comes first."""
        if self.name == "preset":
            return name
        names = (f"{BASE_PRESET.get(name, name)}_{cam_method}", cam_method, name)
        return next((self.presets[n] for n in names if n in self.presets), self.default)

    def parse(self, text: str) -> Any:
        """Read a value as typed; ValueError says what is accepted."""
        if self.hint is bool:
            if (lowered := text.lower()) not in _TRUE | _FALSE:
                raise ValueError(f"{text!r} is neither True nor False (1/0, yes/no)")
            return lowered in _TRUE
        try:
            if typing.get_origin(self.hint) is tuple:
                return _items(text, self.hint.__args__[0])
            return self.hint(text)
        except ValueError:
            accepted = "" if self.rule is None else f"; accepted is {self.rule.accepted}"
            raise ValueError(f"{text!r} is no {self.kind}{accepted}") from None

    def from_json(self, value: Any) -> Any:
        """Convert a value of a JSON file; ValueError where it is of the wrong type."""
        if value is None and self.optional:
            return None
        is_list = typing.get_origin(self.hint) is tuple
        if value is None or isinstance(value, dict) or isinstance(value, list) != is_list:
            raise ValueError(f"{self.name} is {value!r}, accepted is {self.kind}")
        try:
            return self.parse(format_value(tuple(value) if is_list else value))
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None

    def check(self, value: Any, *, source: str = "") -> None:
        """Raise ValueError, which begins with `source`, unless it accepts a value."""
        if self.rule is not None and value is not None and not self.rule.holds(value):
            words = format_value(value) or "''"
            raise ValueError(f"{source}--{self.name} {words}: accepted is {self.rule.accepted}")


def setting(
    default: Any,
    help: str,
    *,
    rule: Rule | None = None,
    group: str = "",
    affects: Sequence[str] = (),
    of: Sequence[str] = (),
    is_output: bool = False,
    **presets: Any,
) -> Any:
    """Declare a setting; further keywords are values of presets, of a --cam_method, and of both."""
    for name, base in BASE_PRESET.items():
        if base in presets:
            presets.setdefault(name, presets[base])
    declared = Setting(
        default=default,
        help=help,
        rule=rule,
        presets=presets,
        group=group,
        affects=affects,
        is_output=is_output,
        of=of,
    )
    return dataclasses.field(default=default, metadata={"declared": declared})


def optional_path(help: str, **options: Any) -> Any:
    """Declare a path of the user's, which nothing is read from by default."""
    return setting(None, help, rule=A_PATH, **options)


def output_path(default: str, help: str, **options: Any) -> Any:
    """Declare an output path, of a file if it has an ending; --run_dir and the demo move it."""
    first, *rest = default.split("/")
    demo = "/".join([first, "demo", *rest]) if rest else f"result/demo/{first}"
    rule = A_FILE if PurePath(default).suffix else A_PATH
    return setting(default, help, rule=rule, is_output=True, demo=demo, **options)


def stage_flag(
    stage: str, *, default: bool | None = None, group: str = "", of: Sequence[str] = ()
) -> Any:
    """Declare the flag that switches a stage on or off; by default False it runs if asked for."""
    return setting(default, f"run {stage}", group=group, of=of)


def settings_of(kind: type) -> dict[str, Setting]:
    """Return a dataclass's settings by the name of their flag, in the order of declaration."""
    hints, found = typing.get_type_hints(kind), {}
    for field in dataclasses.fields(kind):
        hint, optional = hints[field.name], False
        if isinstance(hint, types.UnionType):
            (hint,) = [part for part in hint.__args__ if part is not type(None)]
            optional = True
        found[field.name] = dataclasses.replace(
            field.metadata["declared"], name=field.name, hint=hint, optional=optional
        )
    return found


def format_value(value: Any) -> str:
    """Format a value as typed on the command line."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _items(text: str, item: Callable[[str], Any]) -> tuple[Any, ...]:
    """Read a list of items; ValueError where one of them is missing or cannot be read."""
    parts = [part.strip() for part in text.strip("()[] ").rstrip(",").split(",")]
    if parts == [""]:
        return ()
    if "" in parts:
        raise ValueError
    return tuple(item(part) for part in parts)
