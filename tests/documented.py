"""Runs documented commands: their very text, in a folder as a user has, with tiny networks."""

import itertools
import os
import re
import shlex
from unittest import mock

from tests import forked

LANGUAGES = ("", "sh", "bash", "console", "shell")
PROGRAMS = ("python", "torchrun", "make", "pip")


def commands(text):
    """Find the commands in a page of Markdown: lines of fenced blocks, and code in sentences."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [
        line.removeprefix("$ ")
        for language, block in blocks
        if language in LANGUAGES
        for line in block.replace("\\\n", " ").splitlines()
    ]
    lines += [code for code in inline(text) if code.split(" ")[0] in PROGRAMS and " " in code]
    found = [shlex.join(shlex.split(line, comments=True)) for line in lines]
    return list(dict.fromkeys(command for command in found if command))


def flags(text):
    """Find the flags that are named in sentences or tables, with a value where one is given."""
    return list(dict.fromkeys(code for code in inline(text) if code.startswith("--")))


def inline(text):
    """Find the code in sentences and tables, not that of fenced blocks."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def run(folder, words, output, *, ranks=1, **tiny):
    """Run `python run_sample.py` with these words in a folder; return the exit statuses."""
    settings = {**forked.TINY, **tiny}
    small = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    words = [str(folder), *small, *words]
    if ranks == 1:
        return [forked.run(words, output, call=in_folder)]
    processes = forked.start_ranks(words, output, ranks, call=in_folder)
    return [forked.finish(process) for process in processes]


def in_folder(folder, *words):
    """Run the command line in a folder, ImageNet's weights being random ones."""
    import run_sample
    from tests.tiny_networks import backbone

    os.chdir(folder)
    with mock.patch("misc.train.networks._download", return_value=backbone().state_dict()):
        return run_sample.main(words)


def ranks_of(words):
    """Split torchrun's words into the number of ranks they ask for and the program's own words."""
    place = words.index("run_sample.py")
    given = dict(itertools.pairwise(words[1:place]))
    number = int(given["--nproc_per_node"]) * int(given.get("--nnodes", 1))
    return number, words[place + 1 :]
