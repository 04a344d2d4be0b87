"""The types of the settings: how a value is parsed from text and JSON, and formatted as text."""

import argparse
import types
import typing
from collections.abc import Callable
from typing import Any

from misc.settings.config import SETTINGS

_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no"}


def is_flag(name: str) -> bool:
    """Return whether a setting is true or false, so that its flag needs no value."""
    return _base_type(name) is bool


def kind(name: str) -> str:
    """Return the name of a setting's type, as float or int,..."""
    hint = _base_type(name)
    if typing.get_origin(hint) is tuple:
        return f"{hint.__args__[0].__name__},..."
    return str(hint.__name__)


def reader(name: str) -> Callable[[str], Any]:
    """Return the parser of a flag's value; it raises ArgumentTypeError."""
    hint = _base_type(name)
    if hint is bool:
        return _read_bool
    parse = _tuple_reader(hint.__args__[0]) if typing.get_origin(hint) is tuple else hint
    rule = SETTINGS[name].rule
    accepted = "" if rule is None else f"; accepted is {rule.accepted}"

    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no {kind(name)}{accepted}") from None

    return read


def from_json(name: str, value: Any) -> Any:
    """Convert a value of a JSON file to a setting's.

    Raises:
        ValueError: it is of the wrong type.
    """
    hint = _base_type(name)
    if value is None and hint is not SETTINGS[name].hint:
        return None
    if typing.get_origin(hint) is tuple:
        item = hint.__args__[0]
        if isinstance(value, list) and all(_is_a(part, item) for part in value):
            return tuple(value)
    elif _is_a(value, hint):
        return value
    raise ValueError(f"{name} is {value!r}, accepted is {kind(name)}")


def format_value(value: Any) -> str:
    """Format a value as typed on the command line."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _base_type(name: str) -> Any:
    """Return a setting's type, without the None of an optional one."""
    hint = SETTINGS[name].hint
    if isinstance(hint, types.UnionType):
        (hint,) = [part for part in hint.__args__ if part is not type(None)]
    return hint


def _is_a(value: Any, hint: Any) -> bool:
    # In Python True is an int.
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _read_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False (1/0, yes/no)")
    return lowered in _TRUE


def _tuple_reader(item: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Return the parser of a list of items; it raises ValueError."""

    def read(text: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in text.strip("()[] ").rstrip(",").split(",")]
        if parts == [""]:
            return ()
        if "" in parts:
            raise ValueError
        return tuple(item(part) for part in parts)

    return read
