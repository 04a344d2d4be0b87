"""One image through every stage, as overlays: for --show, the report and --predict."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from misc.cams import CAMs
from misc.centroids import cluster_centroids, find_centroids
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset, Images
from misc.files.images import read_label
from misc.files.labels import SURE, instance_path, label_path, load_instances
from misc.files.palette import Entry, class_entries, object_entries, object_palette
from misc.imutils import IGNORE, planes
from misc.machine.device import compute_of
from misc.masks import counted_order, numbered_map
from misc.run.stage import label_source_path
from misc.run.synthesis import apply_irnet
from misc.settings.config import Config
from net.build import open_network

Fields = tuple[np.ndarray, np.ndarray]  # boundary (h, w) in [0, 1] and displacement (2, h, w)
LABELS_OF = {"irn": "", "cam": " of CAMs", "full": " of ground truth"}  # by --supervision
_ARROWS = 14  # along the longer side of a displacement field


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An overlay: a stage's result for an image.

    Attributes:
        title: what it is.
        picture: uint8 (h, w, 3), or (h, w, 4) with transparency, in any size; None for none.
        opacity: of the picture over the image.
        entries: names and colours of its legend.
        note: how to read it.
    """

    title: str
    picture: np.ndarray | None = None
    opacity: float = 1.0
    entries: Sequence[Entry] = ()
    note: str = ""


def network_folders(
    mask_rcnn_dir: str, deeplab_dir: str, supervision: Sequence[str]
) -> list[tuple[str, Path]]:
    """Return name and folder of the results of Mask R-CNN and DeepLab, by what they learnt from."""
    return [
        (f"{network}{LABELS_OF[name]}", label_source_path(folder, name))
        for network, folder in (("Mask R-CNN", mask_rcnn_dir), ("DeepLab", deeplab_dir))
        for name in supervision
    ]


def image_layers(
    config: Config, dataset: Dataset, image_id: str, image: np.ndarray, fields: Fields | None
) -> list[Layer]:
    """Return an image's overlays, of all results that are there: the stages', then the truth."""
    layers: list[Layer] = []
    with suppress(FileNotFoundError):
        stored = CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))
        layers += cam_layers(stored.read(image_id, image.shape[:2]), dataset.class_names)
    if (path := label_path(config.ir_label_out_dir, image_id)).is_file():
        note = "clear: confident background"
        layers.append(class_layer("relation label", read_label(path), dataset, note=note))
    if fields is not None:
        layers += field_layers(*fields, small_displacement=config.small_displacement)
    networks = config.mask_rcnn_out_dir, config.deeplab_out_dir, config.supervision
    for name, folder, least in (
        ("instance labels", Path(config.ins_seg_out_dir), 0.0),
        ("semantic label", Path(config.sem_seg_out_dir), 0.0),
        *((name, folder, SURE) for name, folder in network_folders(*networks)),
    ):
        if layer := label_layer(name, folder, image_id, dataset, least=least):
            layers.append(layer)
    return [*layers, *truth_layers(dataset, image_id)]


def cam_layers(cams: CAMs, class_names: Sequence[str]) -> list[Layer]:
    """Return the overlay of each class attention map of an image."""
    note = "score: dark blue 0, yellow 1"
    return [
        Layer(
            title=f"CAM: {class_names[key]}",
            picture=heat_colours(scores),
            opacity=0.6,
            note=note,
        )
        for key, scores in zip(cams.keys, cams.high_res, strict=True)
    ]


def label_layer(
    name: str, folder: Path, image_id: str, dataset: Images, *, least: float = 0.0
) -> Layer | None:
    """Return the overlay of an image's instance or semantic label in a folder; None without."""
    if (path := instance_path(folder, image_id)).is_file():
        return instance_layer(name, load_instances(path), dataset.class_names, least=least)
    if (path := label_path(folder, image_id)).is_file():
        return class_layer(name, read_label(path), dataset)
    return None


def open_irnet(config: Config, num_classes: int) -> Callable[[np.ndarray], Fields | None]:
    """Return a function from an image, uint8 (H, W, 3), to IRNet's fields; None without weights."""
    if not Path(config.irn_weights_name).is_file():
        return lambda image: None
    compute = compute_of(config)
    model = open_network(config, "irn", num_classes, compute)

    def fields(image: np.ndarray) -> Fields:
        boundary, displacement = apply_irnet(model, compute, planes(image))
        return boundary[0].float().cpu().numpy(), displacement.float().cpu().numpy()

    return fields


def field_layers(
    boundary: np.ndarray, displacement: np.ndarray, *, small_displacement: float
) -> list[Layer]:
    """Return the overlays of IRNet's fields, and of the centroids that the displacement has."""
    edges = np.rint(np.clip(boundary, 0, 1) * 255).astype(np.uint8)
    longest = max(1.0, float(np.percentile(np.hypot(*displacement), 98)))
    centroids = cluster_centroids(
        find_centroids(displacement), displacement, threshold=small_displacement
    )
    return [
        Layer(title="boundary", picture=np.dstack([edges] * 3), note="white: probability 1"),
        Layer(
            title="displacement",
            picture=field_picture(displacement, longest=longest),
            note=f"arrows: half the way; full colour: {4 * longest:.0f} pixels or more",
        ),
        Layer(
            title="centroids",
            picture=label_colours(centroids % 255 + 1, object_palette()),
            opacity=0.5,
            note="a colour: pixels that gather at one centroid",
        ),
    ]


def instance_layer(
    name: str, found: Mapping[str, np.ndarray], class_names: Sequence[str], *, least: float
) -> Layer:
    """Return the overlay of an image's instances of a score, as `load_instances` returns them."""
    words = [
        f"{class_names[found['class'][i]]} {found['score'][i]:.2f}"
        for i in counted_order(found["score"], least=least)
    ]
    numbers = numbered_map(found["mask"], found["score"], least=least)
    return object_layer(name, numbers, words, note=f"score {least:g} or more" * (least > 0))


def class_layer(name: str, label: np.ndarray, dataset: Images, *, note: str = "") -> Layer:
    """Return the overlay of an image's semantic label, uint8 (H, W)."""
    labels = [int(value) for value in np.unique(label) if value not in (0, IGNORE)]
    unsure = bool((label == IGNORE).any())
    entries = class_entries(dataset.class_names, dataset.palette, labels, unsure=unsure)
    colours = label_colours(label, dataset.palette)
    return Layer(title=name, picture=colours, opacity=0.65, entries=entries, note=note)


def truth_layers(dataset: Dataset, image_id: str) -> list[Layer]:
    """Return the overlays of the ground truth that an image has."""
    layers = []
    if dataset.has_truth(image_id, kinds=["instance"]):
        masks, classes = dataset.instance_label(image_id)
        words = [dataset.class_names[class_id] for class_id in classes]
        # With equal scores they are numbered in the order of the file.
        numbers = numbered_map(masks, np.ones(len(masks)))
        layers.append(object_layer("truth: objects", numbers, words))
    if dataset.has_truth(image_id, kinds=["semantic"]):
        layers.append(class_layer("truth: classes", dataset.semantic_label(image_id), dataset))
    return layers


def object_layer(name: str, numbers: np.ndarray, words: Sequence[str], *, note: str = "") -> Layer:
    """Return the overlay of numbered objects (H, W), 0 for none, and what each is called."""
    colours = label_colours(numbers, object_palette())
    entries = object_entries(words) if words else []
    return Layer(
        title=name, picture=colours, opacity=0.65, entries=entries, note=note if words else "none"
    )


def heat_colours(scores: np.ndarray) -> np.ndarray:
    """Colour scores (H, W) in [0, 1], dark blue to yellow: uint8 (H, W, 3)."""
    levels = np.rint(np.clip(scores, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def label_colours(label: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colour a label map (H, W) by a palette (256, 3), label 0 transparent: uint8 (H, W, 4)."""
    opaque = np.where(label > 0, 255, 0)
    return np.dstack([palette[label], opaque]).astype(np.uint8)


def field_picture(displacement: np.ndarray, *, longest: float, scale: int = 4) -> np.ndarray:
    """Draw a displacement field (2, h, w) as colours, and as arrows of half its length.

    At full length the arrows would overlap. The hue is the direction, the saturation the length,
    full at `longest` pixels of the field's grid. uint8 (scale·h, scale·w, 3).
    """
    dy, dx = displacement.astype(np.float32)
    saturation = np.clip(np.hypot(dy, dx) / longest, 0, 1)
    hue = np.degrees(np.arctan2(dy, dx)) % 360
    colours = cv2.cvtColor(np.dstack([hue, saturation, np.ones_like(hue)]), cv2.COLOR_HSV2RGB)
    picture = cv2.resize(np.rint(colours * 255).astype(np.uint8), None, fx=scale, fy=scale)
    height, width = hue.shape
    step = max(2, round(max(height, width) / _ARROWS))
    for y in range(step // 2, height, step):
        for x in range(step // 2, width, step):
            if np.hypot(dy[y, x], dx[y, x]) > 1:
                ends = np.array([(x, y), (x + dx[y, x] / 2, y + dy[y, x] / 2)])
                start, end = np.rint((ends + 0.5) * scale).astype(int).tolist()
                cv2.arrowedLine(picture, start, end, (30, 30, 30), 1, cv2.LINE_AA)
    return picture
