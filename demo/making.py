"""Demo data: synthetic images in the devkit's own layout, to try the whole method without VOC.

Meant as a fair test, with what makes photographs hard for a method that is trained on image-level
labels alone:

- An object is a plain body, which looks alike in every class and in the clutter, and a
  discriminative part, some two thirds of it. A class attention map tends to see the part only.
- The part is recognised by its outline, its faint pattern and its hue together; clutter and
  background take all hues, and so do bodies, though a third of a body's colour is its part's.
- An image shows one to three objects of one of six classes, three in ten also one of another; most
  such groups touch or overlap, often with their own class. Objects are cut by the image's edge and
  occlude each other, though at least half of an object and of its part is always visible.
- Lengths vary threefold, angles freely; backgrounds are clouds, gradients, bent stripes or two
  regions, all with noise at several scales; light is uneven, cameras blur and add noise.

And with what makes photographs tractable: objects mostly differ from their surroundings (one in
ten need not), and body and part each have a colour of their own, nearly uniform. Easier than VOC:
no background correlates with a class, pieces have crisp outlines, and a class has one look and one
hue. VOC's names are borrowed; the drawings do not resemble them.
"""

import json
import os
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from demo.objects import KINDS
from demo.scene import Scene, draw_scene
from misc.files.atomic import TEMPORARY, remove_abandoned, write_bytes
from misc.files.images import encode_jpeg, write_label
from misc.files.palette import voc_palette
from misc.imutils import IGNORE

VERSION = 9
SIZE = (96, 128)  # height and width of half of the images, the others lie on their side
MARKER = Path("ImageSets", "DEMO")
# Their labels in VOC's list of classes.
LABELS = {"aeroplane": 1, "bicycle": 2, "bird": 3, "boat": 4, "bottle": 5, "cat": 8}


def make_demo(root: str | os.PathLike[str], *, train: int, val: int, seed: int = 0) -> None:
    """Generate the demo data in the folder `root`, unless they exist already.

    The same arguments give the same data. They are drawn in a folder beside `root` that is
    renamed when all is written, so `root` is complete or missing.

    Args:
        root: a folder that is missing, empty, or holds the same demo data.
        train: number of images of the train split.
        val: number of images of the val split.
        seed: random seed.
    """
    root = Path(root)
    made_with = {"version": VERSION, "train": train, "val": val, "seed": seed}
    if _is_there(root, made_with):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(root.parent, root.name)
    with tempfile.TemporaryDirectory(
        prefix=f".{root.name}.", suffix=TEMPORARY, dir=root.parent
    ) as scratch:
        folder = Path(scratch) / root.name
        _write_all(folder, train=train, val=val, seed=seed)
        write_bytes(folder / MARKER, (json.dumps(made_with) + "\n").encode())
        try:
            os.replace(folder, root)
        except OSError:
            if not _is_there(root, made_with):  # else another process was faster
                raise


def read_marker(root: str | os.PathLike[str]) -> str:
    """Return what the demo data in a folder were made with; empty where it holds none."""
    marker = Path(root, MARKER)
    return marker.read_text() if marker.is_file() else ""


def _is_there(root: Path, made_with: dict[str, Any]) -> bool:
    if marker := read_marker(root):
        found = json.loads(marker)
        if found == made_with:
            return True
        raise ValueError(
            f"--demo_root {root}: holds demo data made with {found}, not {made_with}; pass the "
            "--demo_train_images, --demo_val_images and --demo_seed that it was made with, delete "
            "the folder or name another"
        )
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"{root}: is not empty and holds no demo data; name another folder")
    return False


def _write_all(root: Path, *, train: int, val: int, seed: int) -> None:
    ids = [f"demo_{number:06d}" for number in range(1, train + val + 1)]
    for number, image_id in enumerate(ids):
        # One generator per image, so that an image does not depend on the number before it.
        rng = np.random.default_rng([seed, number])
        first = list(KINDS)[number % len(KINDS)]
        scene = draw_scene(first, size=SIZE if rng.random() < 0.5 else SIZE[::-1], rng=rng)
        _write_image(root, image_id, scene)
    for name, listed in {"train": ids[:train], "val": ids[train:], "trainval": ids}.items():
        lines = "".join(f"{image_id}\n" for image_id in listed).encode()
        for task in ("Segmentation", "Main"):
            write_bytes(root / "ImageSets" / task / f"{name}.txt", lines)


def _write_image(root: Path, image_id: str, scene: Scene) -> None:
    photograph = encode_jpeg(scene.image, quality=92)
    write_bytes(root / "JPEGImages" / f"{image_id}.jpg", photograph)
    write_bytes(root / "Annotations" / f"{image_id}.xml", _annotation(image_id, scene))
    classes = np.array([0, *(LABELS[name] for name in scene.names)])
    border = _border(scene)
    for folder, label in (
        ("SegmentationClass", classes[scene.owner + 1]),
        ("SegmentationObject", scene.owner + 1),
    ):
        label = np.where(border, IGNORE, label).astype(np.uint8)
        write_label(root / folder / f"{image_id}.png", label, palette=voc_palette())


def _border(scene: Scene) -> np.ndarray:
    # One pixel on both sides of every outline: VOC's five pixels at a quarter of its size.
    owner = (scene.owner + 1).astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(owner, kernel) != cv2.erode(owner, kernel)


def _annotation(image_id: str, scene: Scene) -> bytes:
    height, width = scene.owner.shape
    outer = ElementTree.Element("annotation")
    _add(outer, {"folder": "VOC2012", "filename": f"{image_id}.jpg"})
    _add(ElementTree.SubElement(outer, "size"), {"width": width, "height": height, "depth": 3})
    _add(outer, {"segmented": 1})
    for number, name in enumerate(scene.names):
        found = ElementTree.SubElement(outer, "object")
        cut = {"pose": "Unspecified", "truncated": int(scene.cut[number]), "difficult": 0}
        _add(found, {"name": name, **cut})
        rows, columns = np.nonzero(scene.owner == number)
        # VOC counts pixels from 1.
        box = {"xmin": columns.min() + 1, "ymin": rows.min() + 1}
        box |= {"xmax": columns.max() + 1, "ymax": rows.max() + 1}
        _add(ElementTree.SubElement(found, "bndbox"), box)
    ElementTree.indent(outer)
    return ElementTree.tostring(outer) + b"\n"


def _add(element: ElementTree.Element, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        ElementTree.SubElement(element, name).text = str(value)
