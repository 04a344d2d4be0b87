"""--predict: what trained networks make of images without labels, from their weights alone."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from tiny_run import NETWORKS, arguments, error_line

import run_sample
from misc.files.images import read_label, read_photograph
from misc.files.labels import load_instances
from misc.view.predictions import Predictions
from tests import forked
from tests.tiny_networks import tiny_detector_and_deeplab
from voc12 import Dataset

OTHERS_OFF = {"eval_cam_pass": False, "make_cocoann_pass": False}
WEIGHTS = ("mask_rcnn", "deeplab", "res50_cam", "res50_irn")
COMPUTE = ("--device", "cpu", "--num_workers", "0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train tiny networks on the demo, once for this module; keep sess/ in a folder of its own."""
    folder = tmp_path_factory.mktemp("trained")
    names = dict(zip(("mask_rcnn", "deeplab", "cam", "irn"), WEIGHTS, strict=True))
    places = {f"{n}_weights_name": folder / "alone/sess" / f"{w}.pth" for n, w in names.items()}
    changes = {"demo_val_images": 4, **places, **OTHERS_OFF}
    with tiny_detector_and_deeplab():
        assert run_sample.main(arguments(folder, networks=True, **changes)) == 0
    for path in (folder / "alone/sess").iterdir():
        if not path.name.endswith((".pth", ".pth.json")):
            path.unlink()
    return folder


@pytest.fixture
def elsewhere(trained, tmp_path, monkeypatch):
    """Go to a folder that has nothing but sess/ of the trained networks."""
    shutil.copytree(trained / "alone", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


@pytest.fixture
def val_images(trained, elsewhere):
    """Copy the demo's images of val, and nothing of their labels; give their ids."""
    dataset = Dataset(trained / "VOC2012")
    ids = dataset.split("val")
    (elsewhere / "photos").mkdir()
    for image_id in ids:
        shutil.copy(dataset.image_path(image_id), elsewhere / "photos")
    return ids


def predict(*words, folder="photos"):
    modules = [word for name, value in NETWORKS.items() for word in (f"--{name}", value)]
    with tiny_detector_and_deeplab():
        return run_sample.main(["--predict", folder, *COMPUTE, *modules, *words])


def files_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def annotations_of(folder):
    return json.loads((folder / "instances.json").read_text())["annotations"]


def rows_of(folder):
    with (folder / "table.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_mask_rcnn_finds_from_sess_alone_what_its_evaluation_found(trained, val_images, elsewhere):
    assert predict() == 0
    ours, theirs = elsewhere / "result/predict/mask_rcnn/instances", trained / "mask_rcnn"
    for image_id in val_images:
        name = f"{image_id}.npz"
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert sum(len(load_instances(p)["score"]) for p in ours.glob("*.npz")) > 0


def test_deeplab_labels_from_sess_alone_as_its_evaluation_did(trained, val_images, elsewhere):
    assert predict("--predict_network", "deeplab") == 0
    ours, theirs = elsewhere / "result/predict/deeplab/labels", trained / "deeplab"
    for image_id in val_images:
        for name in (f"{image_id}.png", f"palette/{image_id}.png"):
            assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert not (ours.parent / "scores").exists()


OWN_FLAGS = {
    "mask_rcnn": ["--predict_score", "0"],
    "deeplab": ["--predict_long_side", "256"],
    "irn": ["--predict_score", "0", "--predict_long_side", "256"],
}


@pytest.mark.parametrize("network", ["mask_rcnn", "irn"])
def test_instances_come_as_files_as_coco_annotations_as_overlays_and_on_a_page(
    network, val_images, elsewhere
):
    words = ("--predict_network", network, *OWN_FLAGS[network][:2])
    assert predict(*words, "--num_workers", "1") == 0
    folder = elsewhere / "result/predict" / network
    coco = COCO(folder / "instances.json")
    names = {each["file_name"]: each["id"] for each in coco.dataset["images"]}
    assert set(names) == {f"{i}.jpg" for i in val_images}
    for image_id in val_images:
        found = load_instances(folder / "instances" / f"{image_id}.npz")
        described = coco.loadAnns(coco.getAnnIds(imgIds=[names[f"{image_id}.jpg"]]))
        masks = [coco.annToMask(each) for each in described]
        assert len(masks) == len(found["mask"])
        assert all(np.array_equal(a, b) for a, b in zip(masks, found["mask"], strict=True))
        label = read_label(folder / "labels" / f"{image_id}.png")
        assert label.shape == found["mask"].shape[1:]
        assert (folder / "overlays" / f"{image_id}.jpg").is_file()
    page = (folder / "index.html").read_text()
    assert all(f"{image_id}.jpg" in page for image_id in val_images)
    assert "{{" not in page
    assert "Thresholds" not in page
    assert not (folder / "work").exists()


def test_pseudo_labels_are_called_so_and_are_of_the_classes_above_the_score(val_images, elsewhere):
    assert predict("--predict_network", "irn", "--predict_score", "1") == 0
    folder = elsewhere / "result/predict/irn"
    assert not any(read_label(folder / f"labels/{i}.png").any() for i in val_images)
    assert not any(len(load_instances(p)["score"]) for p in folder.glob("instances/*.npz"))
    assert (
        "pseudo labels"
        in json.loads((folder / "instances.json").read_text())["info"]["description"]
    )
    assert "pseudo labels" in (folder / "index.html").read_text()


def test_the_score_cuts_the_instances_of_annotations_and_table(val_images, elsewhere, capsys):
    assert predict("--predict_score", "0") == 0
    folder = elsewhere / "result/predict/mask_rcnn"
    scores = [found["score"] for found in annotations_of(folder)]
    least = float(np.median(scores))
    assert min(scores) < least
    capsys.readouterr()
    assert predict("--predict_score", str(least)) == 2
    line = error_line(capsys)
    assert "--predict_score of predict mask_rcnn was 0.0" in line
    assert "name another --predict_dir" in line
    assert predict("--predict_score", str(least), "--overwrite", "--coco_polygons") == 0
    kept = annotations_of(folder)
    assert [found["score"] for found in kept] == [score for score in scores if score >= least]
    assert all(isinstance(found["segmentation"], list) for found in kept)
    assert sum(int(row["count"]) for row in rows_of(folder)) == len(kept)
    whole = sum(len(load_instances(p)["score"]) for p in folder.glob("instances/*.npz"))
    assert whole == len(scores)


PHOTOGRAPHS = {
    "tiny.png": ("RGB", (50, 40)),
    "flat.bmp": ("RGB", (400, 50)),
    "panorama.jpg": ("RGB", (4000, 200)),
    "grey.tif": ("L", (90, 60)),
    "deep.png": ("I;16", (60, 90)),
    "clear.webp": ("RGBA", (80, 60)),
    "few colours.gif": ("P", (70, 50)),
    "print.jpeg": ("CMYK", (60, 60)),
}


def make_photographs(folder):
    folder.mkdir()
    for name, (mode, (width, height)) in PHOTOGRAPHS.items():
        ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
        picture = Image.fromarray(ramp.astype(np.uint8))
        if mode == "I;16":
            picture = Image.fromarray((ramp * 257).astype(np.uint16))
        elif mode != "L":
            picture = picture.convert("RGB").convert(mode)
        picture.save(folder / name)
    turned = Image.fromarray(np.zeros((40, 70, 3), np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif)
    return {name: size for name, (_, size) in PHOTOGRAPHS.items()} | {"turned.jpg": (40, 70)}


@pytest.mark.parametrize("network", ["mask_rcnn", "deeplab", "irn"])
def test_images_of_any_size_and_form_are_predicted_in_their_own_size(network, elsewhere):
    sizes = make_photographs(elsewhere / "photos")
    (elsewhere / "photos/notes.txt").write_text("no image")
    (elsewhere / "photos/.hidden.jpg").write_bytes(b"")
    words = ["--predict_network", network, *OWN_FLAGS[network]]
    assert predict(*words, "--cam_scales", "1.0", "--deeplab_crf", "False") == 0
    folder = elsewhere / "result/predict" / network
    for name, (width, height) in sizes.items():
        stem = name.rpartition(".")[0]
        assert read_label(folder / f"labels/{stem}.png").shape == (height, width)
        if network != "deeplab":
            found = load_instances(folder / f"instances/{stem}.npz")
            assert found["mask"].shape[1:] == (height, width)
    assert len(list((folder / "labels").glob("*.png"))) == len(sizes)
    rows = rows_of(folder)
    assert {row["image"] for row in rows} == set(sizes)
    for row in rows:
        label = read_label(folder / f"labels/{row['image'].rpartition('.')[0]}.png")
        number = Dataset.class_names.index(row["class"]) + 1 if row["class"] else 0
        area = np.count_nonzero(label == number) if number else np.count_nonzero(label)
        assert int(row["area_pixels"]) == area
        assert float(row["area_share"]) == pytest.approx(area / label.size, abs=1e-6)
        assert bool(row["best_score"]) == (row["count"] not in ("", "0"))


def test_broken_images_are_one_line_each_and_predicted_once_they_are_whole(
    val_images, elsewhere, capsys
):
    photos = elsewhere / "photos"
    whole = (photos / f"{val_images[0]}.jpg").read_bytes()
    spoilt = {"empty.jpg": b"", "text.png": b"no image", "cut.jpg": whole[: len(whole) // 2]}
    latin1 = os.fsdecode(b"caf\xe9.jpg")
    for name, content in (spoilt | {latin1: whole}).items():
        (photos / name).write_bytes(content)
    (photos / "lost.jpg").symlink_to(elsewhere / "later.jpg")
    (photos / "itself.jpg").symlink_to("itself.jpg")
    assert predict() == 2
    said = capsys.readouterr()
    lines = said.out.splitlines()
    for name in spoilt:
        assert ["cannot be read as an image" in line for line in lines if name in line] == [True]
    for name in ("lost.jpg", "itself.jpg"):
        assert f"{name}: no such file" in said.out
    assert "the name is not UTF-8; rename it" in said.out
    assert f"6 of {len(val_images) + 6} images cannot be read" in said.err
    labels = elsewhere / "result/predict/mask_rcnn/labels"
    assert {path.stem for path in labels.glob("*.png")} == set(val_images)
    for name in ("text.png", "cut.jpg", "itself.jpg", latin1):
        (photos / name).unlink()
    for path in (elsewhere / "later.jpg", photos / "empty.jpg"):
        path.write_bytes(whole)
    assert predict() == 0
    assert {path.stem for path in labels.glob("*.png")} == {*val_images, "lost", "empty"}


def test_what_is_predicted_is_skipped_and_an_interrupted_run_ends_with_the_same_files(
    val_images, elsewhere
):
    assert predict() == 0
    folder = elsewhere / "result/predict/mask_rcnn"
    before = files_in(folder)
    kept = folder / f"instances/{val_images[1]}.npz"
    written = kept.stat().st_mtime_ns
    (folder / f"instances/{val_images[0]}.npz").unlink()
    (folder / f"overlays/{val_images[2]}.jpg").unlink()
    (folder / "index.html").unlink()
    assert predict() == 0
    assert files_in(folder) == before
    assert kept.stat().st_mtime_ns == written


def test_a_frame_of_as_many_bytes_is_another_image(elsewhere, capsys):
    (elsewhere / "photos").mkdir()
    for name, grey in (("a.bmp", 10), ("b.bmp", 200)):
        Image.fromarray(np.full((40, 50, 3), grey, np.uint8)).save(elsewhere / "photos" / name)
    words = ("--predict_network", "deeplab", "--deeplab_crf", "False")
    assert predict(*words) == 0
    folder = elsewhere / "result/predict/deeplab"
    kept = (folder / "labels/a.png").stat().st_mtime_ns
    shutil.copy(elsewhere / "photos/a.bmp", elsewhere / "photos/b.bmp")
    capsys.readouterr()
    assert predict(*words) == 2
    assert "holds results of another b.bmp" in error_line(capsys)
    assert predict(*words, "--overwrite") == 0
    assert read_photograph(folder / "overlays/b.jpg").mean() < 128
    assert (folder / "labels/a.png").stat().st_mtime_ns == kept


@pytest.mark.parametrize("name", ["back\\slash", 'täg, "1"', "[a]*", "{}"])
def test_nothing_of_earlier_predictions_stays_whatever_the_images_are_called(elsewhere, name):
    (elsewhere / "photos").mkdir()
    for stem in (name, "other"):
        Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(elsewhere / f"photos/{stem}.png")
    words = ("--predict_network", "deeplab", "--deeplab_crf", "False")
    assert predict(*words) == 0
    folder = elsewhere / "result/predict/deeplab"
    assert len(list(folder.glob("labels/*.png"))) == 2
    assert {row["image"] for row in rows_of(folder)} == {f"{name}.png", "other.png"}
    (elsewhere / f"photos/{name}.png").unlink()
    assert predict(*words, "--deeplab_scales", "0.5", "--overwrite") == 0
    assert {path.stem for path in folder.rglob("*.*")} == {
        "other",
        "legend",
        "index",
        "settings",
        "table",
    }


@pytest.mark.parametrize("network", OWN_FLAGS)
def test_thin_images_are_predicted_in_float32_whatever_the_precision(network, elsewhere):
    (elsewhere / "photos").mkdir()
    values = np.random.default_rng(0).integers(0, 255, (20, 1700, 3), dtype=np.uint8)
    Image.fromarray(values[:1]).save(elsewhere / "photos/line.png")
    Image.fromarray(values[:, :300]).save(elsewhere / "photos/thin.png")
    words = ("--predict_network", network, "--deeplab_crf", "False", *OWN_FLAGS[network][:2])
    for precision in ("fp32", "bf16"):
        assert predict(*words, "--precision", precision, "--predict_dir", precision) == 0
    results = [elsewhere / precision / network for precision in ("fp32", "bf16")]
    assert read_label(results[0] / "labels/line.png").shape == (1, 1700)
    for name in ("labels/line.png", "labels/thin.png", "instances/line.npz", "instances/thin.npz"):
        if (results[0] / name).exists():
            assert (results[0] / name).read_bytes() == (results[1] / name).read_bytes()


def test_nothing_of_a_killed_run_is_in_the_predictions_of_new_weights(
    val_images, elsewhere, monkeypatch
):
    words = ("--predict_network", "deeplab", "--deeplab_crf", "False")
    write, places = Predictions.write, iter("a")

    def write_one(self, *given):
        if next(places, None) is None:
            raise KeyboardInterrupt
        write(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Predictions, "write", write_one)
        assert predict(*words) == 130
    assert len(list(elsewhere.glob("result/predict/deeplab/labels/demo*.png"))) == 1
    weights = torch.load("sess/deeplab.pth", weights_only=True)
    weights["aspp.0.bias"][7] += 100
    torch.save(weights, "sess/deeplab.pth")
    assert predict(*words, "--overwrite") == 0
    for image_id in val_images:
        assert (read_label(f"result/predict/deeplab/labels/{image_id}.png") == 7).all()


def test_images_of_nearly_one_name_are_kept_apart_and_long_names_are_predicted(elsewhere):
    names = ["a.jpg", "a.jpg.png", "a.png", "b.png", "legend.png", f"{'n' * 245}.png"]
    (elsewhere / "photos").mkdir()
    for place, name in enumerate(names):
        picture = np.zeros((40 + place, 40, 3), np.uint8)
        Image.fromarray(picture).save(elsewhere / "photos" / name)
    assert predict() == 0
    folder = elsewhere / "result/predict/mask_rcnn"
    sizes = {p.stem: read_label(p).shape[0] for p in (folder / "labels").glob("*.png")}
    assert sorted(sizes.values()) == [40, 41, 42, 43, 44, 45]
    assert {"a.jpg.png": 41, "a.png": 42, "b": 43, "legend": 44}.items() <= sizes.items()
    found = json.loads((folder / "instances.json").read_text())["images"]
    assert {image["file_name"]: image["height"] for image in found} == {
        name: 40 + place for place, name in enumerate(names)
    }


def test_ranks_share_the_images_and_write_what_one_process_does(val_images, elsewhere):
    words = ["--predict_network", "irn", "--predict_score", "0"]
    assert predict(*words) == 0
    before = files_in(elsewhere / "result/predict/irn")
    modules = [word for name, value in NETWORKS.items() for word in (f"--{name}", value)]
    words += ["--predict", "photos", "--predict_dir", "shared", *COMPUTE, *modules]
    processes = forked.start_ranks(words, elsewhere / "output")
    assert [forked.finish(process) for process in processes] == [0, 0]
    assert files_in(elsewhere / "shared/irn") == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--predict", "nowhere"], "--predict nowhere: no such folder"),
        (["--predict", "sess/mask_rcnn.pth"], "a file; accepted is a folder of images"),
        (["--predict", ".", "--run_dir", "x"], "sess/mask_rcnn.pth: no such file; the stage"),
    ],
)
def test_a_mistake_is_one_line(words, message, elsewhere, capsys):
    assert run_sample.main([*words, *COMPUTE]) == 2
    assert message in error_line(capsys)


def test_a_module_that_the_weights_name_is_not_imported_unless_a_flag_names_it(elsewhere, capsys):
    (elsewhere / "photos").mkdir()
    words = ["--predict", "photos", "--predict_network", "irn", *COMPUTE]
    assert run_sample.main(words) == 2
    assert "if you trust it, pass --cam_network tests.tiny_networks" in error_line(capsys)
