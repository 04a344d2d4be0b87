"""Every reader gives a value or our own error on any file: no other exception, hang or code run.

FUZZ_CASES says how many files each reader is tried on; `make fuzz` takes 2,000.
"""

import contextlib
import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from misc.files.cam_files import read_cams, write_cams
from misc.files.id_lists import read_list
from misc.files.images import read_image, read_label, read_photograph
from misc.files.labels import load_instances, save_instances
from misc.files.weights import read_state_dict, read_tensors
from misc.run.records import read_settings
from misc.settings.config import Config
from misc.settings.metadata import FIELD, describe, read_metadata, record_path
from misc.settings.settings_file import read_settings_file
from misc.settings.version import VERSION
from tests import foreign_cams
from voc12.annotations import read_classes

CASES = int(os.environ.get("FUZZ_CASES", "30"))
RAN = Path("code-in-a-file-was-run")


class Bomb:
    def __reduce__(self):
        return (os.mkdir, (str(RAN),))


def image_bytes(format, mode="RGB", **options):
    values = np.random.default_rng(0).integers(0, 5, (9, 14, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).convert(mode).save(buffer, format=format, **options)
    return buffer.getvalue()


def written(path, write, *content, **options):
    write(path, *content, **options)
    return path.read_bytes()


def torch_saved(path, content, **options):
    torch.save(content, path, **options)


def foreign(path, wrap=np.asarray):
    """Write CAMs in every form of other programs."""
    maps = np.ones((1, 3, 4), np.float32), np.ones((1, 9, 14), np.float32), 0.5
    contents = [content(np.array([1]), *maps) for content in foreign_cams.FORMATS.values()]
    return [written(path, foreign_cams.write, content, wrap=wrap) for content in contents]


def make_seeds(folder):
    state = {"a.weight": torch.rand(3, 2), "a.bias": torch.zeros(3)}
    masks = np.eye(18).reshape(2, 9, 18) > 0
    detections = {"score": np.ones(2, np.float32), "mask": masks, "class": np.array([3, 4])}
    classes = {"class_names": ["cat"], "category_ids": [1], "palette": bytes(768)}
    note = describe("mask_rcnn", vars(Config()), dataset="demo", **classes)
    bomb = written(folder / "bomb.npy", np.save, {"keys": Bomb()})
    cams = {"keys": np.array([0, 7]), "maps": [torch.rand(2, 3, 4)], "size": (9, 14)}
    images = [image_bytes("JPEG"), image_bytes("PNG"), image_bytes("PNG", "P")]
    images += [image_bytes("PNG", "L"), image_bytes("EPS"), image_bytes("GIF")]
    npz, npy, pt, pth = (folder / f"seed.{ending}" for ending in ("npz", "npy", "pt", "pth"))
    old = {"_use_new_zipfile_serialization": False}
    record = {"version": VERSION, "stages": {"make_cam": {"beta": 10}}, "images": ["a"]}
    return {
        "jpg": images,
        "png": images,
        "npz": [written(npz, write_cams, **cams), bomb, *foreign(npz)],
        "npy": [*foreign(npy), *foreign(npy, torch.as_tensor), bomb],
        "pt": [
            *foreign(pt),
            *foreign(pt, torch.as_tensor),
            written(pt, torch_saved, {"keys": Bomb()}),
        ],
        "instances": [written(npz, save_instances, detections)],
        "pth": [
            written(pth, torch_saved, state),
            written(pth, torch_saved, state, **old),
            written(pth, torch_saved, Bomb()),
            pickle.dumps(Bomb()),
        ],
        "xml": [
            b"<annotation><object><name>cat</name></object></annotation>",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>",
            '<?xml version="1.0" encoding="utf-16"?><annotation/>'.encode("utf-16"),
            b"<a>" * 50_000,
        ],
        "list": [
            b"2007_000032\r\n\r\n# comment\n2007_000032\nwith space\n",
            "图像\n../x\n".encode(),
        ],
        "json": [
            json.dumps({"beta": 10, "scales": [1.0]}).encode(),
            b"[" * 100_000,
            json.dumps(record).encode(),
            json.dumps({"voc12_root": "VOC2012", "beta": 10}).encode(),
        ],
        "note": [json.dumps({FIELD: note}).encode()],
        "run.json": [json.dumps({"settings": {"beta": 10, "cam_scales": [1.0]}}).encode()],
    }


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@st.composite
def changes(draw):
    """Draw how a whole file is spoilt: pieces cut, doubled, overwritten, or nothing left of it."""
    kind = draw(
        st.sampled_from(["whole", "cut", "flip", "flip", "flip", "drop", "double", "noise"])
    )
    places = draw(st.lists(st.floats(0, 1), min_size=2, max_size=6))
    return kind, places, draw(st.binary(min_size=1, max_size=40))


def spoil(data, change):
    kind, places, noise = change
    first, last = sorted(int(place * len(data)) for place in places[:2])
    if kind == "cut":
        return data[:first]
    if kind == "drop":
        return data[:first] + data[last:]
    if kind == "double":
        return data[:last] + data[first:]
    if kind == "noise":
        return noise
    if kind == "flip":
        spoilt = bytearray(data)
        for number, place in enumerate(places):
            spoilt[min(int(place * len(data)), len(data) - 1)] = noise[number % len(noise)]
        return bytes(spoilt)
    return data


def read_note(path):
    weights = path.with_name("w.pth")
    weights.touch()
    path.rename(record_path(weights))
    read_metadata(weights, "mask_rcnn")


READERS = {
    "image": ("jpg", read_image),
    "photograph": ("jpg", read_photograph),
    "label": ("png", read_label),
    "cams": ("npz", read_cams),
    "another program's cams": ("npy", read_cams),
    "another program's cams, torch": ("pt", read_cams),
    "instances": ("instances", load_instances),
    "weights": ("pth", read_state_dict),
    "checkpoint": ("pth", read_tensors),
    "annotation": ("xml", read_classes),
    "list": ("list", read_list),
    "settings": ("json", lambda path: read_settings(path.with_suffix(""))),
    "run's settings": ("run.json", read_settings_file),
    "note of weights": ("note", read_note),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_gives_a_value_or_our_own_error(reader, seeds, tmp_path):
    kind, read = READERS[reader]
    path = tmp_path / f"settings.pth.{'npz' if kind == 'instances' else kind}"
    path.write_bytes(seeds[kind][3 if reader == "label" else 0])
    read(path)  # a whole file

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        deadline=10_000,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 29), changes())
    def check(number, change):
        path.write_bytes(spoil(seeds[kind][number % len(seeds[kind])], change))
        with contextlib.suppress(ValueError, FileNotFoundError):
            read(path)

    check()
    assert not RAN.exists()
