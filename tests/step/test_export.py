"""--export: programs of the trained networks that give what the networks give."""

import contextlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from tiny_run import error_line

import run_sample
from misc.files.atomic import write_json
from misc.files.weights import save_weights
from misc.imutils import normalize, with_mirror
from misc.settings.config import Config
from misc.settings.metadata import describe
from net.deeplab import DeepLab
from net.mask_rcnn import mask_rcnn
from tests.plain_networks import CAM as PlainCAM
from tests.tiny_networks import CAM, Net, tiny_detector_and_deeplab

CLASSES = ("cat", "dog", "owl")
FILES = {"mask_rcnn": "mask_rcnn.pth", "deeplab": "deeplab.pth", "cam": "res50_cam.pth"}
TINY = {
    "cam_network": "tests.tiny_networks",
    "mask_rcnn_min_size": 90,
    "mask_rcnn_max_size": 120,
    "mask_rcnn_channels": 16,
}
SIZES = ((64, 48), (97, 131), (150, 112))


def save(name, network, **settings):
    path, values = f"sess/{FILES[name]}", vars(Config()) | TINY | settings
    known = {"dataset": "zoo", "class_names": CLASSES, "category_ids": (1, 2, 3)}
    save_weights(network, path)
    write_json(f"{path}.json", {"network": describe(name, values, **known, palette=bytes(768))})


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Make the networks; their weights and programs lie in the folder, once for this module."""
    torch.manual_seed(0)
    with tiny_detector_and_deeplab():
        found = {
            "mask_rcnn": mask_rcnn(3, min_size=90, max_size=120, channels=16),
            "deeplab": DeepLab(4),
            "cam": Net(3),
        }
    # Scores that differ by more than rounding.
    torch.nn.init.normal_(found["mask_rcnn"].roi_heads.box_predictor.cls_score.weight)
    with contextlib.chdir(tmp_path_factory.mktemp("exported")):
        for name, network in found.items():
            save(name, network.eval())
        assert export() == 0
        yield found


@pytest.fixture
def elsewhere(networks, tmp_path, monkeypatch):
    """Go to a folder that has nothing but the weights."""
    shutil.copytree("sess", tmp_path / "sess")
    monkeypatch.chdir(tmp_path)


def export(*words, module="tests.tiny_networks"):
    with tiny_detector_and_deeplab():
        return run_sample.main(["--export", "programs", "--cam_network", module, *words])


def described():
    return json.loads(Path("programs/export.json").read_text())


@torch.no_grad()
def expected(networks, name, image):
    if name == "mask_rcnn":
        (found,) = networks[name]([image[0] / 255])
        assert len(found["scores"]) > 3
        return [found[each] for each in ("boxes", "labels", "scores", "masks")]
    found = networks[name](normalize(image))
    if name == "cam":
        maps = F.conv2d(networks[name].features(normalize(image)), networks[name].classifier.weight)
        return [found, maps.relu()]
    return [F.interpolate(found.softmax(1), image.shape[2:], mode="bilinear")]


def load_torch(path, _):
    program = torch.export.load(path).module()
    assert "device" not in str(program.graph)  # program.to("cuda") would not move it
    return lambda image: found if isinstance(found := program(image), tuple) else (found,)


def load_onnx(path, outputs):
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    return lambda image: session.run(outputs, {"image": image.numpy()})


@pytest.mark.parametrize("ending", [".pt2", ".onnx"])
def test_a_program_gives_what_its_network_gives_at_any_size(ending, networks):
    if ending == ".onnx":
        pytest.importorskip("onnx")
    page, generator = described(), torch.Generator().manual_seed(1)
    for name in [name for name in networks if (name, ending) != ("mask_rcnn", ".pt2")]:
        load = load_torch if ending == ".pt2" else load_onnx
        program = load(f"programs/{name}{ending}", list(page["networks"][name]["outputs"]))
        for size in SIZES:
            image = torch.randint(256, (1, 3, *size), generator=generator, dtype=torch.uint8)
            ours, theirs = program(image), expected(networks, name, image)
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-3)


def test_the_documented_script_runs(networks, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    page = (Path(run_sample.__file__).parent / "docs/PREDICT.md").read_text()
    (script,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    Image.new("RGB", (70, 50)).save("photo.jpg")
    exec(script)
    assert capsys.readouterr().out.startswith("[")


@torch.no_grad()
def test_the_maps_of_an_image_and_its_mirror_add_up_to_the_cams(networks):
    program = torch.export.load("programs/cam.pt2").module()
    image = torch.randint(256, (3, 80, 64), dtype=torch.uint8)
    maps = [program(each[None])[1][0] for each in with_mirror(image)]
    cam = CAM(3).eval()
    cam.load_state_dict(networks["cam"].state_dict())
    torch.testing.assert_close(maps[0] + maps[1].flip(-1), cam(with_mirror(normalize(image))))


def test_what_is_left_out_is_one_line_and_in_the_json(networks, elsewhere, monkeypatch, capsys):
    monkeypatch.setattr("step.export.find_spec", lambda _: None)
    Path("sess/deeplab.pth").unlink()
    save("cam", PlainCAM(3, backbone=""), cam_network="tests.plain_networks")
    assert export(module="tests.plain_networks") == 2
    said = capsys.readouterr()
    assert "nothing could be written, for the reasons above" in said.err
    assert "cam.pt2 left out: 'CAM' object has no attribute 'features'" in said.out
    save("cam", networks["cam"])
    assert export("--overwrite") == 0
    said, page = capsys.readouterr().out, described()
    assert {path.name for path in Path("programs").iterdir()} == {
        *("cam.pt2", "export.json", "settings.json")
    }
    assert page["networks"]["cam"]["files"] == ["cam.pt2"]
    assert page["networks"]["cam"]["class_names"] == [*CLASSES]
    assert set(page["left_out"]) == {"deeplab", "mask_rcnn.pt2", "mask_rcnn.onnx", "cam.onnx"}
    for line in (
        "deeplab left out: no weights sess/deeplab.pth",
        "mask_rcnn.pt2 left out: torch.export takes no outputs whose number depends",
        "mask_rcnn.onnx, cam.onnx left out: the package onnx is not installed: pip install onnx",
    ):
        assert said.count(line) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--run_dir", "x"],
            "--export programs: there are no weights to export: --mask_rcnn_weights_name",
        ),
        (
            ["--export", "sess/deeplab.pth"],
            "--export sess/deeplab.pth: a file; accepted is a folder",
        ),
        (["--export", "sess"], "not made by this program"),
        (
            ["--backbone", "resnet18"],
            "--backbone resnet18: --export writes sess/mask_rcnn.pth as its record says",
        ),
        (["--cam_network", "other"], "--cam_network other: --export writes sess/res50_cam.pth as"),
    ],
)
def test_a_mistake_is_one_line(words, message, elsewhere, capsys):
    assert export(*words) == 2
    assert message in error_line(capsys)


def test_a_module_that_no_flag_names_is_not_imported(elsewhere, capsys):
    assert run_sample.main(["--export", "programs"]) == 2
    assert "if you trust it, pass --cam_network tests.tiny_networks" in error_line(capsys)
