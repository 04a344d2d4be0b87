"""Makes folders of photographs: the demo's, exported with a file of tags, and tiny ones."""

import csv
from unittest import mock

import numpy as np
from PIL import Image

import run_sample
import voc12
from demo import make_demo
from tests import forked

TAGS = {
    "street/one.jpg": ["car", "person"],
    "street/two.png": ["car"],
    "field/one.jpg": ["cow"],
    "field/day 2/cow.JPG": ["cow", "person"],
    "top.bmp": [],
}
NAMES = ["car", "cow", "person"]


def write_image(path, size=(24, 32), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_mask(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(mask, np.uint8)).save(path)


def make_photos(folder, paths=TAGS):
    """Write an image at each of the paths; return the folder."""
    for seed, path in enumerate(paths):
        write_image(folder / path, seed=seed)
    return folder


def write_csv(path, tags=TAGS):
    path.write_text("".join(f"{name},{';'.join(classes)}\n" for name, classes in tags.items()))
    return path


def told(folder, *words, status=0, **changes):
    """Give the lines of a dry run of the classification network, whose log is a new one."""
    data = {"dataset": "folder", "data_root": folder / "photos", "pretrained": "none"}
    data |= {"dry_run": True, "cam_batch_size": 1, "cam_num_epoches": 1} | changes
    words = words or ("--train_cam_pass", "True")
    (folder / "run/sample_train_eval.log").unlink(missing_ok=True)
    assert run_sample.main(forked.arguments(folder / "run", *words, **data)) == status
    return (folder / "run/sample_train_eval.log").read_text()


def export_demo(folder, number, *, masks=False):
    """Write the demo's photographs to photos/, with tags.csv, and masks/ on request."""
    # Larger ones than the demo's, on which tiny networks find objects.
    with mock.patch("demo.making.SIZE", (144, 192)):
        make_demo(folder / "VOC2012", train=number, val=1)
    data = voc12.Dataset(folder / "VOC2012")
    with (folder / "tags.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "classes"])
        for place, image_id in enumerate(ids := data.split("train")):
            path = f"day{place % 2}/{image_id}.jpg"
            (folder / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "photos" / path).write_bytes(data.image_path(image_id).read_bytes())
            (row,) = data.image_labels([image_id])
            names = [data.class_names[number] for number in np.flatnonzero(row)]
            table.writerow([path, ";".join(names)])
            if masks:
                export_masks(data, image_id, folder / "masks", path)
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in data.class_names))
    return ids


def export_masks(data, image_id, folder, path):
    place = path.removesuffix(".jpg") + ".png"
    write_mask(folder / "semantic" / place, data.semantic_label(image_id))
    masks, _ = data.instance_label(image_id)
    objects = np.zeros(masks.shape[1:], np.uint8)
    for number, mask in enumerate(masks, 1):
        objects[mask] = number
    write_mask(folder / "instance" / place, objects)
