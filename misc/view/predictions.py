"""The images of --predict, and what a network predicts for them: labels, instances, overlays."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from misc.files.atomic import write_bytes, write_json
from misc.files.coco import Described, coco_dataset, instance_records
from misc.files.digests import content_digest, fingerprint
from misc.files.images import read_label, read_photograph
from misc.files.labels import (
    INSTANCE_FILES,
    LEAST_SCORE,
    SEMANTIC_FILES,
    instance_path,
    label_path,
    load_instances,
    write_instances,
    write_semantic_label,
)
from misc.files.outputs import image_files
from misc.files.palette import class_entries, object_entries, write_legend
from misc.files.photograph_ids import photograph_ids
from misc.imutils import rescale, resize
from misc.machine import ranks
from misc.masks import counted_order, numbered_map
from misc.run.log import logger
from misc.run.records import PREDICTION, claim_folder, hold_sources
from misc.run.workers import run_images
from misc.settings.config import CAM_METHODS, Config
from misc.settings.metadata import PREDICTS, read_metadata, settings_in_use
from misc.view.layers import class_layer, instance_layer
from misc.view.page import picture, picture_row, write_page
from misc.view.panel import draw

LABELS = tuple(f"labels/{name}" for name in SEMANTIC_FILES)
INSTANCES = tuple(f"instances/{name}" for name in INSTANCE_FILES)
OVERLAYS, COCO, PAGE, TABLE = "overlays/{}.jpg", "instances.json", "index.html", "table.csv"
COLUMNS = ("image", "class", "count", "area_pixels", "area_share", "best_score")
TITLES = {
    "mask_rcnn": "Mask R-CNN",
    "deeplab": "DeepLab",
    "irn": "pseudo labels, no trained detector's",
}


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The images of a folder, and the folder of what a network predicts for them; picklable.

    Attributes:
        source: the folder of the images.
        names: the name of each image's file, by its id.
        class_names: the classes that are predicted.
        category_ids: their ids in annotations.
        palette: the colours of labels, uint8 (256, 3).
        long_side: `image` shrinks larger images to it, pixels; 0 shrinks none.
        folder: where the predictions are.
        title: of the network.
        has_instances: whether it predicts instances, or labels alone.
        least: the least score of an instance that is shown, counted and annotated.
        polygons: whether annotations hold polygons, or run lengths.
    """

    source: Path
    names: Mapping[str, str]
    class_names: Sequence[str]
    category_ids: Sequence[int]
    palette: np.ndarray
    long_side: int
    folder: Path
    title: str
    has_instances: bool
    least: float
    polygons: bool

    def image(self, image_id: str) -> np.ndarray:
        """Read an image as the networks take it; raises as `read_photograph`."""
        image = self.whole_image(image_id)
        share = self.long_side / max(image.shape[:2])
        return rescale(image, share) if 0 < share < 1 else image

    def whole_image(self, image_id: str) -> np.ndarray:
        """Read an image in its own size; raises as `read_photograph`."""
        return read_photograph(self.source / self.names[image_id])

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of all that is written; see misc.files.outputs."""
        return (*LABELS, OVERLAYS, PAGE, TABLE, *((*INSTANCES, COCO) if self.has_instances else ()))

    def outputs(self, image_id: str) -> list[Path]:
        """Return the paths of an image's files."""
        return image_files(self.folder, self.files, image_id)

    def write(
        self, image_id: str, label: np.ndarray | None, found: dict[str, np.ndarray] | None = None
    ) -> None:
        """Write what is predicted for an image, in the image's own size.

        Args:
            image_id: the image.
            label: uint8 (H, W) of the image as the network took it; None to paint the instances.
            found: `score` (N,), `mask` (N, H, W) and `class` (N,); None without instances.
        """
        image = self.whole_image(image_id)
        size = (image.shape[0], image.shape[1])
        if found is not None:
            whole = found["score"] >= LEAST_SCORE
            found = {name: each[whole] for name, each in found.items()}
            found["mask"] = _resized(found["mask"], size)
            if label is None:
                label = painted(found, least=self.least)
        assert label is not None
        label = resize(label, size, nearest=True)
        title = f"{self.names[image_id]}: {self.title}"
        if found is None:
            layer = class_layer(title, label, self)
        else:
            layer = instance_layer(title, found, self.class_names, least=self.least)
        overlay = draw(image, layer, longest=1200, kind="jpg")
        write_bytes(self.folder / OVERLAYS.replace("{}", image_id), overlay)
        write_semantic_label(self.folder / "labels", image_id, label, palette=self.palette)
        if found is not None:
            write_instances(self.folder / "instances", image_id, found, least_score=self.least)

    def problem(self, image_id: str) -> tuple[str, str]:
        """Return an image's id, and in one line why it cannot be read, empty where it can."""
        try:
            self.whole_image(image_id)
            self.names[image_id].encode()
        except UnicodeEncodeError:
            return image_id, f"{self.names[image_id]!r}: the name is not UTF-8; rename it"
        except (ValueError, OSError) as error:
            return image_id, str(error).splitlines()[0]
        return image_id, ""

    def describe(
        self, image_id: str
    ) -> tuple[tuple[int, int], list[dict[str, Any]], list[list[Any]]]:
        """Return an image's (H, W), its COCO records, and its rows of the table."""
        label = read_label(label_path(self.folder / "labels", image_id))
        records: list[dict[str, Any]] = []
        if self.has_instances:
            found = load_instances(instance_path(self.folder / "instances", image_id))
            shown = found["score"] >= self.least
            found = {name: each[shown] for name, each in found.items()}
            records = instance_records(found, self.category_ids, polygons=self.polygons)
        height, width = label.shape
        return (height, width), records, self._rows(self.names[image_id], label, records)

    def _rows(
        self, name: str, label: np.ndarray, records: Sequence[Mapping[str, Any]]
    ) -> list[list[Any]]:
        areas = np.bincount(label.ravel(), minlength=256).tolist()
        rows = []
        for number, class_name in enumerate(self.class_names):
            category, area = self.category_ids[number], areas[number + 1]
            scores = [each["score"] for each in records if each["category_id"] == category]
            if area or scores:
                count = len(scores) if self.has_instances else ""
                best = round(max(scores), 4) if scores else ""
                rows.append([name, class_name, count, area, round(area / label.size, 6), best])
        return rows or [[name, "", 0, 0, 0, ""]]


def open_predictions(config: Config) -> Predictions:
    """Return the images of --predict, and the place of their predictions.

    Raises:
        ValueError, OSError: there are no images, or no weights that say what they know.
    """
    network = config.predict_network
    first = PREDICTS[network][0]
    weights = vars(config)[f"{first}_weights_name"]
    known = read_metadata(weights, first)
    names = photographs_in(config.predict or "", limit=config.limit)
    logger.info("%s: trained on %s, %d classes", weights, known.dataset, len(known.class_names))
    is_detector = network == "mask_rcnn"
    return Predictions(
        source=Path(config.predict or ""),
        names=names,
        class_names=known.class_names,
        category_ids=known.category_ids,
        palette=np.frombuffer(known.palette, np.uint8).reshape(256, 3),
        # Mask R-CNN resizes images itself, but draws its masks in the size of what it is given.
        long_side=2 * config.mask_rcnn_max_size if is_detector else config.predict_long_side,
        folder=Path(config.predict_dir) / network,
        title=TITLES[network],
        has_instances=network != "deeplab",
        least=config.predict_score if is_detector else 0.0,
        polygons=config.coco_polygons,
    )


def photographs_in(folder: str, *, limit: int | None = None) -> dict[str, str]:
    """List the images in a folder: id to name of the file; see `photograph_ids`.

    Hidden files and folders inside are left out.
    """
    place = Path(folder)
    if not place.exists():
        raise FileNotFoundError(f"--predict {folder}: no such folder")
    if not place.is_dir():
        raise ValueError(f"--predict {folder}: a file; accepted is a folder of images")
    # A link to nothing is a broken image.
    there = sorted(n for n in os.listdir(place) if n[0] != "." and not os.path.isdir(place / n))
    ids = photograph_ids(there, source=f"--predict {folder}")
    return dict(list(ids.items())[:limit])


def claim(config: Config, predictions: Predictions, *, precision: str) -> None:
    """Claim the folder of the predictions, and write the legends of their pictures.

    Raises:
        ValueError: the folder has predictions of other settings, weights or images.
    """
    network, values = config.predict_network, vars(config)
    names = [n for part in PREDICTS[network] for n in settings_in_use(part) if config.applies(n)]
    if network != "mask_rcnn":
        names.append("predict_long_side")
    if network != "deeplab":
        names.append("predict_score")
    own = {name: values[name] for name in names} | {"precision": precision}
    flags = [f"{part}_weights_name" for part in PREDICTS[network]]
    flags += [f"{CAM_METHODS[config.cam_method]}_weights_name"] * (network == "irn")
    hold_sources(values[flag] for flag in flags)
    for flag in flags:
        own[flag] = f"a file of SHA-256 {fingerprint(values[flag])}"
    images = {
        image_id: f"{name}, digest {content_digest([predictions.source / name])}"
        for image_id, name in predictions.names.items()
    }
    claim_folder(
        predictions.folder,
        {f"{PREDICTION} {network}": own},
        files=predictions.files,
        images=images,
        overwrite=config.overwrite,
    )
    entries = class_entries(predictions.class_names, predictions.palette)
    write_legend(predictions.folder / "labels", entries)
    if predictions.has_instances:
        write_legend(predictions.folder / "instances", object_entries())


def summarise(predictions: Predictions, ids: Sequence[str], *, num_workers: int) -> None:
    """Write the COCO annotations, the table and the page of all images."""
    found = run_images(
        ids, predictions.describe, num_workers=num_workers, description="annotations"
    )
    if predictions.has_instances:
        images = [
            Described(number, predictions.names[image_id], *each[:2])
            for number, (image_id, each) in enumerate(zip(ids, found, strict=True), start=1)
        ]
        names = zip(predictions.category_ids, predictions.class_names, strict=True)
        description = f"predictions: {predictions.title}"
        content = coco_dataset(images, dict(names), description=description)
        ranks.on_first(partial(write_json, predictions.folder / COCO, content))
    table = io.StringIO()
    csv.writer(table).writerows([COLUMNS, *(row for *_, rows in found for row in rows)])
    # Excel reads UTF-8 where it begins with this mark alone.
    ranks.on_first(
        partial(write_bytes, predictions.folder / TABLE, table.getvalue().encode("utf-8-sig"))
    )
    overlays = picture_row(
        picture(quote(OVERLAYS.replace("{}", image_id)), predictions.names[image_id])
        for image_id in ids
    )
    title, words = f"Predictions: {predictions.title}", f"{len(ids)} images"
    page = predictions.folder / PAGE
    ranks.on_first(partial(write_page, page, title, words, {"Overlays": overlays}))
    logger.info("%d images predicted; look at %s", len(ids), page)


def painted(found: Mapping[str, np.ndarray], *, least: float) -> np.ndarray:
    """Return the label, uint8 (H, W), of detections of a score, the better one on top."""
    order = counted_order(found["score"], least=least)
    labels = np.array([0, *(found["class"][order] + 1)], np.uint8)
    return labels[numbered_map(found["mask"], found["score"], least=least)]


def _resized(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if masks.shape[1:] == size:
        return masks
    large = np.zeros((len(masks), *size), bool)
    for place, mask in zip(large, masks, strict=True):
        place[:] = resize(mask.view(np.uint8), size, nearest=True)
    return large
