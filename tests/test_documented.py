"""Every command of README and docs does what it is documented to do; a new one is run as well.

Commands run as they are written, by the same program in a process of its own, in a folder where VOC
lies as a user's does; only networks, steps and the number of ranks are smaller. One that needs what
an earlier command has made names it in AFTER; those are in test_documented_after.py.
"""

import re
import shlex
import subprocess

import pytest
from torch.distributed.run import get_args_parser

from misc.settings.flags import build_parser
from tests import documented
from tests.documented import COMMANDS, PAGES, ROOT, RUNS, as_meant, run_before
from tests.folder.photo_tree import export_demo

# What SLURM and DVC run.
SCRIPTS = re.findall(r"^```slurm\n(.*?)^```", (ROOT / "docs/SLURM.md").read_text(), re.M | re.S)
_dvc = (ROOT / "docs/dvc.yaml").read_text()
_settings = re.search("settings: (.*)", _dvc)[1]
SCRIPTS += re.findall(r"cmd: (.*)", _dvc.replace("${settings}", _settings))
FLAGS = {flag: page.name for page in PAGES for flag in documented.flags(page.read_text())}


@pytest.mark.parametrize("command", [c for c in RUNS if run_before(c) is None], ids=str)
def test_a_documented_run_finishes(command, voc_folder, tmp_path):
    documented.place_data(voc_folder, tmp_path)
    if "--dataset folder" in command:
        export_demo(tmp_path, 12, masks=True)
    documented.run_command(command, tmp_path)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in RUNS], ids=str)
def test_another_documented_command_is_one_that_can_run(command):
    program, *words = shlex.split(command)
    if program == "make":
        assert words
        subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, capture_output=True)
    elif program == "pip":
        assert words[0] == "install"
        check_requirements(words[1:])
    else:
        pytest.fail(f"{COMMANDS[command]}: no test knows how to run {command!r}")


def check_requirements(words):
    """Check that files are there, and that packages are among those the tests are run with."""
    known = "".join(path.read_text() for path in ROOT.glob("requirements*.txt"))
    for before, word in zip(["", *words], words, strict=False):
        if before == "-r":
            assert (ROOT / word).is_file()
        elif not word.startswith("-"):
            assert re.search(rf"^{word}\b", known, re.MULTILINE), word


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_documented_script_is_one_that_can_run(script):
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True)
    lines = [line for line in script.replace("\\\n", " ").splitlines() if "run_sample.py" in line]
    assert lines
    for line in lines:
        program, ours = re.sub(r"\$\w+", "1", line).split("run_sample.py")
        if "torchrun" in program:
            words = shlex.split(program.split("torchrun")[1])
            get_args_parser().parse_args([*words, "run_sample.py"])
        build_parser().parse_args(shlex.split(ours))


def test_documented_flags_are_ours_and_take_their_values():
    parser = build_parser()
    given = {action.option_strings[0] for action in parser._actions}
    for flag, page in FLAGS.items():
        words = as_meant(flag)
        assert words[0] in given | {"--help", "--nproc_per_node"}, f"{page}: {flag!r} is no flag"
        if len(words) == 2 and words[0] in given and words[1].isascii() and words[1] != "N":
            parser.parse_args(words)


def test_the_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CHANGELOG.md", ROOT / "docs" / "walkthrough.ipynb"]:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            place, _, heading = link.partition("#")
            if place.startswith("http"):
                continue
            target = page.parent / place if place else page
            assert target.exists(), (page.name, link)
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if heading else []
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert not heading or heading in anchors, (page.name, link)


def test_the_pages_have_commands_of_every_kind():
    assert len(RUNS) >= 9
    for start in ("make demo", "make test", "pip install", "torchrun", "python run_sample.py"):
        assert any(command.startswith(start) for command in COMMANDS)
