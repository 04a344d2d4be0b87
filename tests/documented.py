"""Runs documented commands: their very text, in a folder as a user has, with tiny networks."""

import itertools
import os
import re
import shlex
import shutil
from pathlib import Path
from unittest import mock

from torch.distributed.run import get_args_parser

from tests import coco_shaped, forked
from tests.cityscapes.city_tree import make_cityscapes

ROOT = Path(__file__).parent.parent

RANKS = 2  # in place of the 8 of the pages
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
    "walk_background": 0,
    "ins_seg_bg_thres": 0.05,
    "mask_rcnn_learning_rate": 1e-3,
    "deeplab_scales": "1.0",
    "deeplab_crf": False,
}
# Words that stand for something of the reader's.
MEANT = {"ID": "demo_000001", "FILE": "resnet50.pth"}
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


def place_data(voc_folder, folder):
    for name in ("VOCdevkit", "benchmark_RELEASE"):
        (folder / name).symlink_to(voc_folder / name)
    (folder / "photos").mkdir()
    for path in sorted(voc_folder.glob("VOCdevkit/VOC2012/JPEGImages/*.jpg"))[:2]:
        shutil.copy(path, folder / "photos")
    make_cityscapes(folder / "cityscapes")
    coco_shaped.make_coco(folder / "COCO", year=2014)


def run_command(command, folder):
    """Run a documented command in a folder with its data."""
    program, *words = as_meant(command)
    ranks = 1
    if program == "torchrun":
        get_args_parser().parse_args(words)
        number, words = ranks_of([program, *words])
        ranks = min(number, RANKS)
    else:
        assert (program, words.pop(0)) == ("python", "run_sample.py")
    run_whole(folder, words, ranks)


def as_meant(command):
    for word, meant in MEANT.items():
        command = re.sub(rf"\b{word}\b", meant, command)
    return shlex.split(command)


def run_whole(folder, words, ranks=1):
    """Run as `run` does, with networks that learn; it has to end well."""
    statuses = run(folder, words, folder / "output", ranks=ranks, **LEARNS)
    said = "".join(path.read_text() for path in sorted(folder.glob("output*")))
    assert statuses == [0] * ranks, said[-3000:]


def run(folder, words, output, *, ranks=1, **tiny):
    """Run `python run_sample.py` with these words in a folder; return the exit statuses."""
    settings = {**forked.TINY, **tiny}
    words = [str(folder), *forked.words_of(settings), *words]
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
    return int(given["--nproc_per_node"]), words[place + 1 :]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = {c: page.name for page in PAGES for c in commands(page.read_text())}
RUNS = [c for c in COMMANDS if "run_sample.py" in shlex.split(c)]
# What has been run before a command, by words of it.
PUBLISHED = "--voc12_root VOCdevkit/VOC2012"
AFTER = {
    "--make_sem_seg_pass": PUBLISHED,
    "--cam_method amn": PUBLISHED,
    "--cam_out_dir my_cams": PUBLISHED,
    "--tables": PUBLISHED,
    "--compare": PUBLISHED,
    "--sweep": PUBLISHED,
    "--infer_list train_aug": PUBLISHED,
    "--settings": PUBLISHED,
    "--mask_rcnn_server_list test": "--dataset cityscapes --data_root cityscapes",
    "--show ID": "",
    "--predict photos": PUBLISHED,
    "--export programs": PUBLISHED,
}


def run_before(command):
    """Give the words of the run that a command comes after, or which it is itself; else None."""
    found = [words for part, words in AFTER.items() if part in command]
    own = command.removeprefix("python run_sample.py ")
    return found[0] if found else own if own in AFTER.values() else None
