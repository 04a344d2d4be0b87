"""What --help prints: one screen, or the flags of a group, or all of them."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

SCREEN = """\
IRNet: from image-level labels to instance and semantic masks, in stages.

A demo on drawings, minutes on a CPU:
  %(prog)s
PASCAL VOC 2012, as published:
  %(prog)s --voc12_root VOCdevkit/VOC2012
Your own photographs; --dry_run says what is understood of them, and stops:
  %(prog)s --dataset folder --data_root photos --labels tags.csv
Some stages alone:
  %(prog)s ... --train_cam_pass True --make_cam_pass True
Masks of new images by the trained networks:
  %(prog)s --predict FOLDER

A run that was stopped goes on when the same command is given again.

--help GROUP prints the flags of a group, --help FLAG one flag, --help all everything:
%(groups)s
"""


class HelpAction(argparse.Action):
    """Prints what follows --help, and ends the process."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Print the screen, or what begins with the word: groups, or else flags; all for `all`."""
        word = str(given[1]).lower()
        print(_help_of(parser, word) if word else _screen(parser), end="")
        parser.exit()


def program() -> str:
    """Return how this program was started, for commands to type."""
    return "irnet" if Path(*sys.argv[:1]).stem == "irnet" else "python run_sample.py"


def alike(word: str, names: Sequence[str]) -> str:
    """Return a question for the name that was probably meant; empty where none is near."""
    close = get_close_matches(word, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _screen(parser: argparse.ArgumentParser) -> str:
    titles = "\n".join(f"  {group.title}" for group in _groups(parser))
    return SCREEN % {"prog": parser.prog, "groups": titles}


def _help_of(parser: argparse.ArgumentParser, word: str) -> str:
    if word == "all":
        return parser.format_help()
    groups = {g.title: g._group_actions for g in _groups(parser)}
    found = {title: each for title, each in groups.items() if title.lower().startswith(word)}
    if not found:
        for title, flags in groups.items():
            found[title] = [f for f in flags if f.option_strings[0].startswith(f"--{word}")]
    if not any(found.values()):
        parser.error(f"--help {word}: no group and no flag begins with it")
    formatter = parser.formatter_class(prog=parser.prog)
    for title, flags in found.items():
        formatter.start_section(title)
        formatter.add_arguments(flags)
        formatter.end_section()
    return formatter.format_help()


def _groups(parser: argparse.ArgumentParser) -> list[Any]:
    return [group for group in parser._action_groups if group.title and group._group_actions][1:]
