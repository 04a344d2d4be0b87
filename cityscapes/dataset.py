"""The images, labels, measures and server's format of a Cityscapes folder."""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from cityscapes.names import CLASSES, EVALUATED_IDS, INSTANCE_IDS, LARGEST_ID, VOID_COLOUR, VOID_IDS
from cityscapes.precision import OVERLAPS, ImageMatches, average_precision, match_detections
from misc.files import dataset
from misc.files.atomic import names_in, write_bytes
from misc.files.dataset import KINDS
from misc.files.digests import file_size
from misc.files.id_lists import list_file, read_list
from misc.files.images import encode_png, image_size, read_numbers
from misc.files.labels import LEAST_SCORE, instance_path, load_instances
from misc.imutils import IGNORE
from misc.metrics import mean_average_precision
from misc.settings.config import Config

_log = logging.getLogger("irnet")
SPLITS = ("train", "val", "test")
EXPECTED_COUNTS = {"train": 2975, "val": 500, "test": 1525}
# An aggregator attributes it to IRNet; network, classes and protocol are not known.
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {("eval_deeplab", "val"): {"mIoU": 0.3348}}
IMAGE = "leftImg8bit"
TRUTH = {"semantic": "gtFine_labelIds", "instance": "gtFine_instanceIds"}
# What is packed for the server; see misc.files.outputs.
PACKED = ("results/{}.txt", "results/masks/{}_*.png")


class Dataset(dataset.Dataset):
    """Cityscapes' finely annotated images; an id is the NAME of KIND/SPLIT/CITY/NAME_KIND.png.

    Args:
        root: the folder with leftImg8bit and gtFine.
        num_classes: the 8 classes with instances, everything else is background; or all 19,
            which leave no background.
        limit: use only this many first images of every list.
    """

    name = "cityscapes"
    packed_instances = PACKED

    def __init__(
        self, root: str | os.PathLike[str], *, num_classes: int = 8, limit: int | None = None
    ) -> None:
        self.root, self.limit = Path(root), limit
        if not (self.root / IMAGE).is_dir():
            raise FileNotFoundError(
                f"--data_root {root}: no folder {IMAGE} in it; that of Cityscapes holds {IMAGE} "
                "and gtFine"
            )
        self.label_ids = INSTANCE_IDS if num_classes == len(INSTANCE_IDS) else EVALUATED_IDS
        known = [(name, colour) for number, name, colour in CLASSES if number in self.label_ids]
        self.class_names = tuple(name for name, _ in known)
        self.palette = np.zeros((256, 3), np.uint8)
        self.palette[1 : len(known) + 1] = [colour for _, colour in known]
        self.palette[IGNORE] = VOID_COLOUR
        self._classes: dict[str, list[int]] = {}  # of the images whose truth has been read

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures for a stage's measures on a split."""
        figures = PUBLISHED.get((stage, split), {})
        return figures if figures and len(self.split(split)) == EXPECTED_COUNTS[split] else {}

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of train, val or test, or of a text file of ids, each with its image."""
        name = os.fspath(name_or_file)
        if name in SPLITS:
            ids = [i for i, place in self._places.items() if place.startswith(f"{name}/")]
            if not ids:
                folder = self.root / IMAGE / name
                raise FileNotFoundError(
                    f"split {name}: no image in {folder}; {folder}/CITY/NAME_{IMAGE}.png is "
                    "expected"
                )
            return ids[: self.limit]
        ids = read_list(list_file(name, splits=SPLITS))
        if missing := [image_id for image_id in ids if image_id not in self._places]:
            raise FileNotFoundError(
                f"{name}: {len(missing)} of {len(ids)} ids have no image, the first is "
                f"{missing[0]!r}; {self.image_path(missing[0])}, or that of another split, is "
                "expected"
            )
        return ids[: self.limit]

    def all_ids(self) -> list[str]:
        """Return the images of train and val."""
        return [i for i, place in self._places.items() if not place.startswith("test/")]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self._path(IMAGE, image_id)

    def image_facts(self, image_id: str) -> str:
        """Return the sizes of an image's file and of its labelIds."""
        labels = self._path(TRUTH["semantic"], image_id)
        return f"{file_size(self.image_path(image_id))} {file_size(labels)}"

    def truth_files(self, image_id: str, kind: str) -> Sequence[Path]:
        """Return the file that an image's ground truth of a kind is read from."""
        return [self._path(TRUTH[kind], image_id)]

    def classes(self, image_id: str) -> list[int]:
        """Return the classes that occur in labelIds."""
        if image_id not in self._classes:
            found = _occurring(self._read("semantic", image_id))
            self._classes[image_id] = np.flatnonzero(np.isin(self.label_ids, found)).tolist()
        return self._classes[image_id]

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that have an image-level label."""
        return self.with_truth(ids, kinds=("semantic",))

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have ground truth of these kinds.

        The files of test are void.
        """
        known = [i for i in ids if not self._places.get(i, "test/").startswith("test/")]
        for kind in kinds:
            paths = [self._path(TRUTH[kind], image_id) for image_id in known]
            there = [path.name in names_in(path.parent) for path in paths]
            known = [image_id for image_id, is_there in zip(known, there, strict=True) if is_there]
        return known

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 void."""
        table = np.zeros(LARGEST_ID + 1, np.uint8)
        table[VOID_IDS] = IGNORE
        table[self.label_ids] = np.arange(1, len(self.label_ids) + 1)
        return table[self._read("semantic", image_id)]

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances, no groups: bool (N, H, W), and their classes, int64 (N,), from 0."""
        return self._regions(image_id, groups=False)

    def ignored_regions(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the groups: masks, bool (M, H, W), and their classes, int64 (M,), from 0."""
        return self._regions(image_id, groups=True)

    def match_instances(
        self, image_id: str, masks: np.ndarray, classes: np.ndarray, scores: np.ndarray
    ) -> ImageMatches:
        """Match an image's detections for `instance_measures`.

        Fragments, which the export leaves out, do not count: the server finds the same.
        """
        numbers = self._read("instance", image_id)
        kept = np.asarray(scores) >= LEAST_SCORE
        ids = self.label_ids[np.asarray(classes, np.int64)[kept]]
        return match_detections(numbers, masks[kept], ids, scores[kept])

    def instance_measures(self, matches: Sequence[ImageMatches]) -> dict[str, float]:
        """Compute Cityscapes' average precision: the mean over overlaps, and that at 0.5.

        Both are left out where no image has an instance that counts.
        """
        means = mean_average_precision(average_precision(matches))
        if np.isnan(means).all():
            _log.info("Cityscapes AP is left out: no image has an instance of 100 pixels or more")
            return {}
        at_half = means[np.flatnonzero(np.isclose(OVERLAPS, 0.5))[0]]
        return {"Cityscapes AP": float(means.mean()), "Cityscapes AP50": float(at_half)}

    def pack_instances(self, folder: Path, ids: Sequence[str]) -> Path:
        """Write the detections in a folder to its `results`, to be zipped for the server.

        An image has ID.txt of lines `masks/ID_N.png labelID confidence`, and its masks, 0 and 255.
        """
        results = folder / "results"
        for image_id in ids:
            found = load_instances(instance_path(folder, image_id))
            lines = []
            # Fragments are left out, as in COCO annotations.
            for number, i in enumerate(np.flatnonzero(found["score"] >= LEAST_SCORE)):
                name = f"masks/{image_id}_{number}.png"
                write_bytes(results / name, encode_png(found["mask"][i].astype(np.uint8) * 255))
                label_id, score = self.label_ids[found["class"][i]], found["score"][i]
                lines.append(f"{name} {label_id} {score:.9g}\n")
            write_bytes(results / f"{image_id}.txt", "".join(lines).encode())
        return results

    @cached_property
    def _places(self) -> dict[str, str]:
        """Return the SPLIT/CITY of each image, split by split and sorted."""
        return {
            image_id: f"{split}/{city}"
            for split in SPLITS
            for city in sorted(names_in(self.root / IMAGE / split))
            for image_id in sorted(names_in(self.root / IMAGE / split / city, f"_{IMAGE}.png"))
            if not image_id.startswith(".")  # macOS writes ._NAME beside a NAME
        }

    def _path(self, kind: str, image_id: str) -> Path:
        usual = f"{SPLITS[0]}/{image_id.split('_')[0]}"
        place = self._places.get(image_id, usual)
        return self.root / kind.split("_")[0] / place / f"{image_id}_{kind}.png"

    def _read(self, kind: str, image_id: str) -> np.ndarray:
        """Read labelIds or instanceIds: integer (H, W), id · 1000 + n, or the id alone."""
        path = self._path(TRUTH[kind], image_id)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such file; train and val have gtFine's labelIds and instanceIds, test "
                "has no ground truth"
            )
        numbers = read_numbers(path).astype(np.int32)
        largest = np.where(numbers >= 1000, numbers // 1000, numbers).max()
        if largest > LARGEST_ID:
            raise ValueError(
                f"{path}: has the unknown label id {largest}; accepted are 0 to {LARGEST_ID} "
                "(labelIds, not labelTrainIds)"
            )
        if numbers.shape != (size := image_size(self.image_path(image_id))):
            raise ValueError(f"{path}: is {numbers.shape} pixels, but its image is {size}")
        return numbers

    def _regions(self, image_id: str, *, groups: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks and classes of instances, or of groups of classes with instances."""
        numbers = self._read("instance", image_id)
        values = _occurring(numbers)
        if groups:
            values = owners = np.intersect1d(values, INSTANCE_IDS)
        else:
            values = values[values >= 1000]
            owners = values // 1000
        kept = np.isin(owners, self.label_ids)
        masks = numbers == values[kept, None, None]
        return masks, np.searchsorted(self.label_ids, owners[kept]).astype(np.int64)


def _occurring(numbers: np.ndarray) -> np.ndarray:
    """Return the values of a map, rising."""
    return np.flatnonzero(np.bincount(numbers.reshape(-1)))  # np.unique would sort two million


def from_config(config: Config) -> Dataset:
    """Open Cityscapes in --data_root, with the classes of --cityscapes_classes."""
    if config.cityscapes_classes == len(EVALUATED_IDS):
        _log.warning(
            "--cityscapes_classes 19: there is no background, on which IRNet's pairs and the "
            "thresholds stand, and image-level labels say little: 11.7 of 19 classes an image, "
            "road and building in 98 to 99 %; the 8 classes with instances are the default"
        )
    return Dataset(
        config.data_root or "", num_classes=config.cityscapes_classes, limit=config.limit
    )
