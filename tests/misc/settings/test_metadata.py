import json

import pytest

from misc.settings.flags import read_config
from misc.settings.metadata import (
    FIELD,
    describe,
    read_metadata,
    record_path,
)

PALETTE = bytes(range(256)) * 3


def note_of(network, *words):
    values = vars(read_config(words))
    classes = {"class_names": ["cat", "dog"], "category_ids": [1, 2], "palette": PALETTE}
    return describe(network, values, dataset="demo", **classes)


def place(weights, note):
    """Write weights without content, and the note beside them."""
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.touch()
    content = {"version": "0", "stages": {}, FIELD: note}
    record_path(weights).write_text(json.dumps(content))
    return weights


def test_deeplab_tells_its_own_backbone():
    noted = note_of("deeplab", "--backbone", "resnet34")
    assert noted["settings"]["deeplab_backbone"] == "resnet34"
    noted = note_of("deeplab", "--backbone", "resnet34", "--deeplab_backbone", "resnet18")
    assert noted["settings"]["deeplab_backbone"] == "resnet18"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"settings": {"mask_rcnn_min_size": [8]}},
            r"mask_rcnn_min_size is \[8\], accepted is int",
        ),
        ({"settings": 3}, "its 'network' is broken"),
    ],
)
def test_a_broken_note_is_one_line_that_names_its_file(change, message, tmp_path):
    weights = place(tmp_path / "w.pth", note_of("mask_rcnn") | change)
    with pytest.raises(ValueError, match=message) as caught:
        read_metadata(weights, "mask_rcnn")
    assert str(record_path(weights)) in str(caught.value)
    assert "\n" not in str(caught.value)


def weights_in(folder):
    note = note_of("mask_rcnn", "--backbone", "resnet34", "--mask_rcnn_min_size", "96")
    return place(folder / "mask_rcnn.pth", note)


def test_weights_are_looked_for_in_sess_and_then_among_the_demos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights_in(tmp_path / "sess/demo")
    assert read_config(["--predict", "x"]).mask_rcnn_weights_name == "sess/demo/mask_rcnn.pth"
    weights_in(tmp_path / "sess")
    assert read_config(["--predict", "x"]).mask_rcnn_weights_name == "sess/mask_rcnn.pth"
    # What they tell wins over the preset, and a flag over that.
    config = read_config(["--predict", "x", "--mask_rcnn_min_size", "512"])
    assert config.backbone == "resnet34"
    assert config.mask_rcnn_min_size == 512
    assert read_config(["--predict", "x"]).mask_rcnn_min_size == 96


def test_a_setting_of_the_weights_that_is_not_accepted_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = record_path(weights_in(tmp_path / "sess"))
    path.write_text(path.read_text().replace('"mask_rcnn_min_size": 96', '"mask_rcnn_min_size": 0'))
    with pytest.raises(ValueError, match="--mask_rcnn_min_size 0: accepted is"):
        read_config(["--predict", "x"])
