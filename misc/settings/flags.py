"""From a command line to a `Config`, and from `Config` to --help and to docs/FLAGS.md.

`python -m misc.settings.flags` prints that page.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from misc.settings.config import PRESETS, SETTINGS, Config
from misc.settings.declare import Setting, format_value
from misc.settings.help import HelpAction, alike, program
from misc.settings.metadata import EXPORTS, MODULES, PREDICTS, read_metadata
from misc.settings.settings_file import read_settings_file
from misc.settings.validate import check_effect, check_reader, check_together
from misc.settings.version import VERSION

# Of a data set of one's own, named by its module.
OWN_PRESET = "folder"
_PAGE_HEAD = """\
# Flags

Defaults are those of `--preset voc12`, the published settings; the column demo names those of
`--preset demo` that differ. A flag of True or False means True where no value follows it.
`make flags` writes this page from `misc/settings/config.py`.

| flag | default | demo | what it sets |
| --- | --- | --- | --- |"""


def read_config(arguments: Sequence[str] | None = None) -> Config:
    """Parse the flags (by default those of this process) on top of the preset that they choose.

    Flags override --settings, which overrides the metadata of --predict's weights, the preset and
    the default.
    The preset and the data set follow from each other; without both it is the demo. --voc12_root
    is read as --dataset and --data_root. argparse ends the process with status 2 on a flag it does
    not know.

    Raises:
        FileNotFoundError: there is no file --settings.
        ValueError: a value that its flag does not accept, in one line naming both.
    """
    flags = _with_data_root(vars(build_parser().parse_args(arguments)))
    saved = _saved(flags)
    given = {**saved, **flags}
    if not given.keys() & {"preset", "dataset"}:
        if given.get("predict") or given.get("export"):
            given["preset"] = _preset_of_weights(given)
        elif given.get("compare"):
            given["preset"] = "voc12"  # runs are of any data set: not a place of the demo's
    given.setdefault("dataset", PRESETS.get(given.get("preset", "demo"), "demo"))
    given.setdefault("preset", given["dataset"] if given["dataset"] in PRESETS else OWN_PRESET)
    known = {"run_dir": given.get("run_dir", ""), "cam_method": given.get("cam_method", "cam")}
    values = defaults(given["preset"], **known) | given
    if values["predict"]:
        values = _with_metadata(values, given)
    if values["export"]:
        _check_export(values, given)
    for field in SETTINGS.values():
        is_saved = field.name in saved and field.name not in flags
        source = f"--settings {flags['settings']}: " if is_saved else ""
        field.check(values[field.name], source=source)
        if field.name in given:
            check_reader(field, values, source)
    config = Config(**values)
    check_together(config)
    check_effect(config, flags)
    return config


def defaults(preset: str, *, run_dir: str = "", cam_method: str = "cam") -> dict[str, Any]:
    """Return a preset's value of every setting, with its output paths in run_dir."""
    return {
        name: os.path.join(run_dir, value) if field.is_output else value
        for name, field in SETTINGS.items()
        for value in [field.preset(preset, cam_method)]
    }


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with one flag for each setting, in groups."""
    parser = _Parser(
        prog=program(),
        usage="%(prog)s [--FLAG VALUE ...]",
        description="IRNet: from image-level labels to instance and semantic masks, in stages.",
        epilog="A flag of True or False (BOOL) means True where no value follows.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=34),
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("-h", "--help", nargs="?", const="", metavar="GROUP", action=HelpAction)
    parser.add_argument("--version", action="version", version=f"irnet {VERSION}")
    group: argparse._ArgumentGroup
    for field in SETTINGS.values():
        if field.group:
            group = parser.add_argument_group(field.group)
        bare: dict[str, Any] = {"nargs": "?", "const": True} if field.hint is bool else {}
        group.add_argument(
            f"--{field.name}",
            type=_reader(field),
            metavar=field.kind.upper(),
            help=_help(field).replace("%", "%%"),
            **bare,
        )
    return parser


def page() -> str:
    """Return the text of docs/FLAGS.md: a table of the settings."""
    lines = [_PAGE_HEAD]
    for field in SETTINGS.values():
        if field.group:
            lines.append(f"| **{field.group}** | | | |")
        usual, demo = _code(_default(field)), field.preset("demo")
        changed = "" if demo == field.default else _code(format_value(demo))
        lines.append(f"| `--{field.name}` | {usual} | {changed} | {field.help} |")
    return "\n".join(lines) + "\n"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line; argparse would print the usage before it.
        flag = re.match(r"argument --(\w+)", message)
        line = message.removeprefix("argument ")
        line = line.replace("expected one argument", "a value must follow it")
        self.exit(2, f"error: {line} (see --help{f' {flag[1]}' if flag else ''})\n")

    def parse_args(self, words: Sequence[str] | None) -> argparse.Namespace:  # type: ignore[override]
        words = list(sys.argv[1:] if words is None else words)
        if "--help" in words[:-1]:  # of a flag, too
            topic = words.index("--help") + 1
            words[topic] = words[topic].removeprefix("--")
        found, unknown = self.parse_known_args(words)
        if unknown:
            flags = [flag for flag in unknown if flag.startswith("--")]
            word = (flags or unknown)[0].partition("=")[0]
            hint = alike(word, list(self._option_string_actions))
            if not flags and not hint:
                hint = (
                    "; a flag begins with --, and its value is one word: separate numbers and "
                    "names by commas, and quote a value with spaces"
                )
            self.error(f"{word}: unknown{hint}")
        return found


def _help(field: Setting) -> str:
    """Return a setting's help, with what it accepts and its defaults in brackets."""
    notes = []
    if field.rule is not None and not field.is_output:
        notes.append(f"takes {field.rule.accepted}")
    if field.default is not None:
        values = [("default", _default(field))]
        values += [(name, format_value(v)) for name, v in field.presets.items()]
        notes.append(", ".join(f"{name}: {value or 'none'}" for name, value in values))
    return f"{field.help} ({'; '.join(notes)})" if notes else field.help


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _default(field: Setting) -> str:
    if field.default is None:
        return ""
    return "usable cores" if field.name == "num_workers" else format_value(field.default)


def _with_data_root(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with --voc12_root, if there is one, as --dataset and --data_root.

    Raises:
        ValueError: they contradict it.
    """
    root = given.get("voc12_root")
    if not root:
        return dict(given)
    meant = {"dataset": "voc12", "data_root": root}
    for name, value in meant.items():
        if given.get(name) not in (None, value):
            raise ValueError(
                f"--voc12_root {root}: is --dataset voc12 --data_root {root}, and --{name} is "
                f"{given[name]}; leave one of the two out"
            )
    return {**given, **meant, "voc12_root": None}


def _saved(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings of the run to repeat; empty where there is none.

    An output path that no flag of that run named is left out, so that --run_dir moves it again.
    """
    if not (path := flags.get("settings")):
        return {}
    saved = _with_data_root(read_settings_file(path))
    for name in ("preset", "dataset", "cam_method"):
        if name in saved and flags.get(name, saved[name]) != saved[name]:
            raise ValueError(
                f"--{name} {flags[name]}: --settings {path} repeats a run of the {name} "
                f"{saved[name]}; leave one of the two out"
            )
    usual = defaults(saved.get("preset", ""), run_dir=saved.get("run_dir", ""))
    return {n: v for n, v in saved.items() if not (SETTINGS[n].is_output and v == usual[n])}


def _preset_of_weights(given: Mapping[str, Any]) -> str:
    """Return the preset at whose places the weights are: all of --predict, any of --export.

    It is VOC's where they are at none.
    """
    for preset in ("voc12", "demo"):
        values = {**defaults(preset, run_dir=given.get("run_dir", "")), **given}
        networks = PREDICTS.get(values["predict_network"], ()) if values["predict"] else EXPORTS
        there = [Path(values[f"{network}_weights_name"]).is_file() for network in networks]
        if all(there) if values["predict"] else any(there):
            return preset
    return "voc12"


def _with_metadata(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, with those of the weights' metadata where none are given."""
    found: dict[str, Any] = {}
    for network in PREDICTS.get(values["predict_network"], ()):
        found |= read_metadata(values[f"{network}_weights_name"], network).settings
    _check_modules(found, values, given)
    if "cam_method" in found and "cam_method" in given:
        # The maps of another method bring its thresholds, not those behind the weights.
        was, now = (defaults(given["preset"], cam_method=of["cam_method"]) for of in (found, given))
        found = {name: value for name, value in found.items() if was[name] == now[name]}
    return {**values, **found, **given}


def _check_export(values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise ValueError where a given setting is not that of a network which --export writes."""
    for network in EXPORTS:
        weights = values[f"{network}_weights_name"]
        found = read_metadata(weights, network).settings if Path(weights).is_file() else {}
        _check_modules(found, values, given)
        for name in found:
            if given.get(name, found[name]) != found[name]:
                raise ValueError(
                    f"--{name} {format_value(given[name])}: --export writes {weights} as its "
                    f"record says, with {format_value(found[name])}; leave it out"
                )


def _check_modules(
    found: Mapping[str, Any], values: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Raise ValueError where metadata name a module that neither its setting nor a flag names."""
    for name in MODULES:
        if name not in given and found.get(name, values[name]) != values[name]:
            raise ValueError(
                f"--{name} {values[name]}: the weights are of the module {found[name]}; if you "
                f"trust it, pass --{name} {found[name]}"
            )


def _reader(field: Setting) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return field.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


if __name__ == "__main__":
    print(page(), end="")
