"""docs/ARCHITECTURE.md: its paths and names exist, and its code does what the page says."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from misc.indexing import PathIndex
from misc.train.networks import make_network
from net.backbone import build_backbone, stage_channels
from net.resnet50_irn import AffinityDisplacementLoss
from tests import documented, forked
from tests.documented import ROOT

PAGE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
BLOCKS = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
# The reader's own, and torchvision's.
THEIRS = {"step/blur_cam.py", "result/blurred_cam", "my_irn", "resnext101_32x8d"}
PATH = re.compile(r"[\w*]+(/[\w*.]*)+|\w+\.py")


def described():
    """Give the inline code of each paragraph, row and item that names a path: paths and names."""
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    for part in re.split(r"\n\s*\n|\n(?=\||\d+\. )", prose):
        code = [word for word in documented.inline(part) if word not in THEIRS]
        paths = [word for word in code if PATH.fullmatch(word)]
        if paths:
            yield paths, [word for word in code if re.fullmatch(r"[A-Za-z_]\w+", word)]


def test_the_paths_of_the_tour_exist():
    house = re.search(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    named = {word for word in house.split() if PATH.fullmatch(word)}
    assert len(named) > 10
    named |= {path for paths, _ in described() for path in paths}
    missing = [path for path in sorted(named) if not any(ROOT.glob(path))]
    assert missing == []


def test_the_names_of_the_tour_are_defined_where_it_says():
    checked = 0
    for paths, names in described():
        text = "\n".join(p.read_text() for path in paths for p in ROOT.glob(path) if p.is_file())
        for name in names:
            assert re.search(rf"^\s*((def|class) {name}\b|{name}\b[^(]*=)", text, re.MULTILINE), (
                name,
                paths,
            )
            checked += 1
    assert checked > 30


def test_another_loss_is_a_module_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "my_irn.py").write_text(BLOCKS["my_irn.py"])
    monkeypatch.syspath_prepend(tmp_path)
    index = PathIndex(3, (16, 16))
    ours, published = (
        make_network("irn_network", name, "AffinityDisplacementLoss", index, backbone="resnet18")
        for name in ("my_irn", "net.resnet50_irn")
    )
    assert isinstance(published, AffinityDisplacementLoss)
    ours.load_state_dict(published.state_dict())
    torch.manual_seed(0)
    batch = torch.randn(1, 3, 64, 64), torch.randint(0, 3, (1, 16, 16))
    terms, changed = published(*batch), ours(*batch)
    assert changed.pop("pos") == 2 * terms.pop("pos")
    assert changed == terms
    assert make_network("irn_network", "my_irn", "EdgeDisplacement", backbone="resnet18")


def test_another_resnet_is_built_by_its_name():
    with torch.device("meta"):
        assert stage_channels(build_backbone("resnext101_32x8d")) == [64, 256, 512, 1024, 2048]


@pytest.mark.slow
def test_a_stage_takes_a_file_a_row_and_two_settings(tmp_path):
    tracked = ["run_sample.py", *(path.parent.name for path in ROOT.glob("*/__init__.py"))]
    for name in tracked:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "step" / "blur_cam.py").write_text(BLOCKS["step/blur_cam.py"])
    table = tmp_path / "step" / "__init__.py"
    following = '    Stage(\n        name="eval_cam"'
    head, later = table.read_text().split(following)
    table.write_text(head + BLOCKS["step/__init__.py"] + following + later)
    settings = tmp_path / "misc" / "settings" / "config.py"
    one, two = BLOCKS["misc/settings/config.py"].splitlines(keepends=True)
    text = settings.read_text()
    for new, before in ((one, "    ir_label_out_dir: "), (two, "    eval_cam_pass: ")):
        assert text.count(before) == 1
        text = text.replace(before, new + before)
    settings.write_text(text)
    stages = [f"--{name}_pass" for name in ("train_cam", "make_cam", "blur_cam")]
    words = forked.arguments(tmp_path / "out", *stages)
    command = [sys.executable, "run_sample.py", *words]
    # The networks are the tests'; the script's own folder comes first.
    given = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    done = subprocess.run(command, capture_output=True, text=True, **given)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    (plain, blurred) = (
        sorted((tmp_path / "out" / "result" / folder).glob("*.npz"))
        for folder in ("demo/cam", "demo/blurred_cam")
    )
    assert len(blurred) == len(plain) > 0
    again = subprocess.run(command, capture_output=True, text=True, **given)
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr


def test_a_data_set_is_a_module_of_ones_own(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "my_data.py").write_text(BLOCKS["my_data.py"])
    random = np.random.default_rng(0)
    for name in ("cat0", "cat1", "dog0", "dog1", "cat_dog"):
        image = random.integers(0, 256, (64, 80, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}.jpg")
    words = ["--dataset", "my_data", "--pretrained", "none"]
    said = tmp_path / "output"
    assert documented.run(tmp_path, [*words, "--dry_run"], said) == [0], said.read_text()
    stages = ["--train_cam_pass", "--make_cam_pass"]
    assert documented.run(tmp_path, [*words, *stages], said) == [0], said.read_text()
    assert len(list((tmp_path / "result" / "cam").glob("*.npz"))) == 5
