"""From a command line to a `Config`, and from `Config` to the README's table."""

import argparse
import dataclasses
import os
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from misc.config import Config

_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no"}
_HINTS = typing.get_type_hints(Config)


def read_config(arguments: Sequence[str] | None = None) -> Config:
    """Read the flags (by default those of this process) on top of the preset that they choose.

    A flag wins over the preset, the preset over the default. Without --voc12_root and --preset
    the preset is demo. argparse ends the process with status 2 on a flag it does not know.

    Raises:
        ValueError: a value that its flag does not take, in one line naming both.
    """
    given = vars(build_parser().parse_args(arguments))
    given.setdefault("preset", "voc12" if given.get("voc12_root") else "demo")
    values = {field.name: _preset_value(field, given["preset"]) for field in _fields()}
    for field in _fields():
        if field.metadata.get("place"):
            values[field.name] = os.path.join(given.get("run_dir", ""), values[field.name])
    values.update(given)
    for field in _fields():
        _check(field, values[field.name])
    return Config(**values)


def build_parser() -> argparse.ArgumentParser:
    """Make the parser with one flag for each setting."""
    parser = _Parser(
        prog="run_sample.py",
        description="IRNet: from image-level labels to instance and semantic masks, in stages.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for field in _fields():
        parser.add_argument(
            f"--{field.name}",
            type=_reader(field.name),
            metavar=_kind(field.name).upper(),
            help=f"{field.metadata['help']} (default: {format_value(field.default)})".replace(
                "%", "%%"
            ),
        )
    return parser


def resolved(config: Config) -> dict[str, Any]:
    """Give every setting by name, as plain values for a log or JSON."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(config).items()}


def is_place(name: str) -> bool:
    """Say whether a setting only names where something is written."""
    return any(field.name == name and field.metadata.get("place", False) for field in _fields())


def table() -> str:
    """Write the settings as the Markdown table of the README."""
    lines = ["| flag | default | demo | what it sets |", "| --- | --- | --- | --- |"]
    for field in _fields():
        default = "CPU count" if field.name == "num_workers" else format_value(field.default)
        demo = _preset_value(field, "demo")
        changed = "" if demo == field.default else f"`{format_value(demo)}`"
        words = field.metadata["help"]
        lines.append(f"| `--{field.name}` | `{default}` | {changed} | {words} |")
    return "\n".join(lines)


def format_value(value: Any) -> str:
    """Write a value as one would type it."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line; argparse would print the usage of sixty flags before it.
        self.exit(2, f"error: {message} (see --help)\n")


def _fields() -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(Config)


def _preset_value(field: dataclasses.Field[Any], preset: str) -> Any:
    return (
        preset if field.name == "preset" else field.metadata["presets"].get(preset, field.default)
    )


def _base_type(name: str) -> Any:
    """Give a setting's type, without the None of an optional one."""
    hint = _HINTS[name]
    if isinstance(hint, types.UnionType):
        (hint,) = [part for part in hint.__args__ if part is not type(None)]
    return hint


def _kind(name: str) -> str:
    hint = _base_type(name)
    if typing.get_origin(hint) is tuple:
        return f"{hint.__args__[0].__name__},..."
    return str(hint.__name__)


def _reader(name: str) -> Callable[[str], Any]:
    hint = _base_type(name)
    if hint is bool:
        return _read_bool
    if typing.get_origin(hint) is tuple:
        return _tuple_reader(hint.__args__[0])
    return typing.cast(Callable[[str], Any], hint)


def _read_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False (1/0, yes/no)")
    return lowered in _TRUE


def _tuple_reader(item: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def read(text: str) -> tuple[Any, ...]:
        try:
            return tuple(item(part) for part in text.strip("()[] ").split(",") if part.strip())
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list like 1.0,0.5") from None

    return read


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    rule = field.metadata["rule"]
    if rule is not None and value is not None and not rule.holds(value):
        raise ValueError(f"--{field.name} {format_value(value)}: accepted is {rule.accepted}")
