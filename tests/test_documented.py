"""Every command of README and docs does what it is documented to do; a new one is run as well.

Commands run as they are written, by the same program in a process of its own, in a folder where VOC
lies as a user's does; only networks, steps and the number of ranks are smaller. One that needs what
an earlier command has made names it in AFTER.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from misc.settings.flags import build_parser
from tests import coco_shaped, documented, foreign_cams, voc_shaped
from tests.cityscapes.city_tree import make_cityscapes
from tests.folder.photo_tree import export_demo

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = {c: page.name for page in PAGES for c in documented.commands(page.read_text())}
RUNS = [c for c in COMMANDS if "run_sample.py" in shlex.split(c)]
FLAGS = {flag: page.name for page in PAGES for flag in documented.flags(page.read_text())}
RANKS = 2  # in place of the 8 or 16 of the pages
PUBLISHED = "--voc12_root VOCdevkit/VOC2012"
# What has been run before, by words of the command.
AFTER = {
    "--make_sem_seg_pass": PUBLISHED,
    "--cam_out_dir my_cams": PUBLISHED,
    "--tables": PUBLISHED,
    "--sweep": PUBLISHED,
    "--infer_list train_aug": PUBLISHED,
    "--settings": PUBLISHED,
    "--mask_rcnn_server_list test": "--dataset cityscapes --data_root cityscapes",
    "--show ID": "",
    "--predict photos": PUBLISHED,
}
# Slow enough that no class is lost, whatever the rounding: every image has labels to learn from.
LEARNS = {
    "cam_network": "tests.seeing_networks",
    "cam_optimizer": "adamw",
    "cam_learning_rate": 1e-4,
    "irn_optimizer": "adamw",
    "irn_learning_rate": 1e-3,
    "cam_num_epoches": 1,
    "irn_num_epoches": 1,
    "exp_times": 1,
    "ins_seg_bg_thres": 0.05,
    "mask_rcnn_learning_rate": 1e-3,
}
# Words that stand for something of the reader's.
MEANT = {"ID": "demo_000001", "FIRST_MACHINE": "localhost", "FILE": "resnet50.pth"}


@pytest.fixture(scope="module")
def finished(voc_folder, tmp_path_factory):
    """Give a function that copies a folder in which a command has been run; it runs once."""
    done = {}

    def folder_after(words, destination):
        if words not in done:
            done[words] = tmp_path_factory.mktemp("finished")
            place_data(voc_folder, done[words])
            run_all(done[words], shlex.split(words))
        shutil.copytree(done[words], destination, dirs_exist_ok=True, symlinks=True)

    return folder_after


def place_data(voc_folder, folder):
    for name in ("VOCdevkit", "benchmark_RELEASE"):
        (folder / name).symlink_to(voc_folder / name)
    (folder / "photos").symlink_to(voc_folder / "VOCdevkit" / "VOC2012" / "JPEGImages")
    make_cityscapes(folder / "cityscapes")
    coco_shaped.make_coco(folder / "COCO", year=2014)
    (folder / "shared").mkdir()
    (folder / "shared" / "VOC2012").symlink_to(voc_folder / "VOCdevkit" / "VOC2012")


def run_all(folder, words, ranks=1):
    outputs = folder / "output"
    learns = LEARNS
    statuses = documented.run(folder, words, outputs, ranks=ranks, **learns)
    said = "".join(path.read_text() for path in sorted(folder.glob("output*")))
    assert statuses == [0] * ranks, said[-3000:]
    return said


def as_meant(command, folder):
    for word, meant in MEANT.items():
        command = re.sub(rf"\b{word}\b", meant, command)
    return shlex.split(command.replace("/shared/", f"{folder}/shared/"))


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS, ids=RUNS)
def test_a_documented_run_finishes(command, voc_folder, finished, tmp_path):
    folder = tmp_path
    before = [words for part, words in AFTER.items() if part in command]
    if before:
        finished(before[0], folder)
    else:
        place_data(voc_folder, folder)
    if "--dataset folder" in command:
        export_demo(folder, 12, masks=True)
    if "my_cams" in command:
        foreign_cams.convert(folder / "result" / "cam", folder / "my_cams")
        shutil.rmtree(folder / "sess")
        if "--tables" not in command:
            shutil.rmtree(folder / "result")
    words = as_meant(command, folder)
    ranks = 1
    if words[0] == "torchrun":
        get_args_parser().parse_args(words[1:])
        number, words = documented.ranks_of(words)
        ranks = min(number, RANKS)
    else:
        assert words[:2] == ["python", "run_sample.py"]
        words = words[2:]
    run_all(folder, words, ranks)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in RUNS])
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


@pytest.mark.parametrize("flag", FLAGS)
def test_a_documented_flag_is_one_of_ours_and_takes_its_value(flag):
    words = as_meant(flag, Path())
    given = {action.option_strings[0] for action in build_parser()._actions}
    if words[0] in given | {"--help", "--nproc_per_node"}:
        if len(words) == 2 and words[0] in given and words[1].isascii() and words[1] != "N":
            build_parser().parse_args(words)
        return
    pytest.fail(f"{FLAGS[flag]}: {flag!r} is no flag")


def test_the_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
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


def test_commands_are_found_in_blocks_and_in_sentences():
    page = (
        "Try `make demo`, or\n`python run_sample.py\n--show ID`, not `make_cam` or `--limit 8`.\n"
        "```sh\n$ pip install x  # why\n\n# only a comment\ntorchrun --a 1 \\\n    run_sample.py\n"
        "odd words\n```\n```json\n{}\n```\nOr `--seed 1`.\n"
    )
    assert documented.commands(page) == [
        "pip install x",
        "torchrun --a 1 run_sample.py",
        "odd words",
        "make demo",
        "python run_sample.py --show ID",
    ]
    assert documented.flags(page) == ["--limit 8", "--seed 1"]


def test_the_data_are_those_that_the_pages_name():
    assert voc_shaped.TRAIN_AUG != voc_shaped.TRAIN
    for command in RUNS:
        root = re.search(r"--voc12_root (\S+)", command)
        assert root is None or root[1] in ("VOCdevkit/VOC2012", "/shared/VOC2012")
