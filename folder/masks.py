"""Ground truth of those images that have it: PNGs as tools write them, or a COCO JSON."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from folder.coco_masks import CocoMasks
from folder.colours import ClassColours, colours_of, read_objects, read_white
from folder.index import Index, check_size
from folder.tree import BARE, EXACT, MASK_WORD, files_below, is_photograph, stem
from misc.files.dataset import KINDS
from misc.files.object_maps import split_objects
from misc.imutils import IGNORE

_log = logging.getLogger("irnet")
LOOKED_AT = 20  # masks, to see whether they hold numbers of classes and objects
FOLDERS = {"semantic": "semantic", "segmentationclass": "semantic"}
FOLDERS |= {"instance": "instance", "segmentationobject": "instance"}
# What else stands behind the image's name in that of a mask with a single object.
NUMBER = re.compile(r"[\s._-]+\d+$")


def open_masks(path: Path | None, index: Index) -> "Masks | CocoMasks":
    """Open the ground truth in a folder of masks or a COCO JSON; of None, no image has any."""
    if path is not None and path.is_file():
        return CocoMasks(path, index)
    return Masks(path, index)


class Masks:
    """The masks in DIR/semantic and DIR/instance, or in DIR itself; named like their images.

    NAME.png, or NAME_mask.png and the like, has the classes; or, in DIR/instance, the objects of an
    image. NAME_0.png, NAME_1.png have an object each. An object's class is that of the semantic
    mask under it, or the image's only one. How many images have a mask, and what fits none, is
    logged.
    """

    def __init__(self, folder: Path | None, index: Index) -> None:
        self._folder, self._index = folder, index
        self._files: dict[str, dict[str, list[Path]]] = {kind: {} for kind in KINDS}
        self._pieces: set[str] = set()
        self._white_class = False
        if folder is None:
            return
        if not folder.is_dir():
            raise FileNotFoundError(f"--masks {folder}: no such folder or COCO JSON")
        inside = {p: FOLDERS[p.name.lower()] for p in folder.iterdir() if p.name.lower() in FOLDERS}
        keys = [*inside, folder, folder.parent]
        self._colours = ClassColours(keys, index.class_names)
        strays = []
        for place, kind in (inside or {folder: "semantic"}).items():
            for path in sorted(filter(is_photograph, files_below(place))):
                if not self._take(place, path, kind, may_be_flat=not inside):
                    strays.append((place / path).relative_to(folder).as_posix())
        self._log_fit(folder, strays)
        self._check_values()

    def _take(self, place: Path, path: str, kind: str, *, may_be_flat: bool) -> bool:
        """Note whose mask a file is; return False where it is none's."""
        ids, is_piece = self._images_of(path)
        if is_piece and may_be_flat:
            kind = "instance"
        if not ids or (is_piece and kind == "semantic"):
            return False
        files = self._files[kind]
        if not is_piece and (twice := [i for i in ids if i in files]):
            raise ValueError(
                f"--masks {self._folder}: {files[twice[0]][0]} and {place / path} are both masks "
                f"of {self._index.images.paths[twice[0]]}; leave one, or name its folder"
            )
        for image_id in ids:
            files.setdefault(image_id, []).append(place / path)
            self._pieces |= {image_id} if is_piece else set()
        return True

    def _images_of(self, path: str) -> tuple[list[str], bool]:
        """Return the ids of the images that a file is a mask of, and if it has a single object."""
        whole, plain = stem(path), MASK_WORD.sub("", stem(path))
        for name in (whole, plain, MASK_WORD.sub("", NUMBER.sub("", plain))):
            ids, fit = self._index.images.match(name, ("images",))
            if path.lower().endswith(".png") and (fit == EXACT or (fit == BARE and len(ids) == 1)):
                return ids, name not in (whole, plain)
        return [], False

    def _log_fit(self, folder: Path, strays: Sequence[str]) -> None:
        paths = self._index.images.paths
        found = {image_id for files in self._files.values() for image_id in files}
        words = f"masks: {len(found)} of {len(paths)} images have one"
        named = ((i, each[0]) for files in self._files.values() for i, each in files.items())
        other = [(paths[i], path) for i, path in named if path.stem != Path(paths[i]).stem]
        words += f", for example {other[0][1].name} of {other[0][0]}" if other else ""
        if strays:
            words += f"; {len(strays)} files belong to no image, the first is {strays[0]}"
        if not found:
            first = next(iter(paths.values()))
            words += f"; that of {first} is {folder}/semantic/{stem(first)}.png"
        _log.log(logging.WARNING if strays or not found else logging.INFO, "%s", words)

    def _check_values(self) -> None:
        """Refuse masks of white on black in place of numbers, but where there is one class."""
        names = [f"{n} for {name!r}" for n, name in enumerate(self._index.class_names, 1)]
        wanted = {
            "semantic": f"the number of a class: {', '.join(names[:3])}",
            "instance": "the number of an object: 1 for the first, 2 for the second",
        }
        shown = [image_id for image_id, classes in self._index.labels.items() if classes]
        for kind, numbers in wanted.items():
            files = {i: found for i, found in self._files[kind].items() if i not in self._pieces}
            looked_at = [files[image_id][0] for image_id in shown if image_id in files][:LOOKED_AT]
            # The first that is sound ends it.
            if not looked_at or not all(map(_is_white_on_black, looked_at)):
                continue
            if kind == "semantic" and len(self._index.class_names) == 1:
                self._white_class = True
                _log.info("masks: white on black, which is the class %s", *self._index.class_names)
                if all(map(_is_white_around, looked_at)):
                    _log.warning(
                        "masks: most of each image's border is white, and read as %s; if white is "
                        "the background, invert the masks",
                        *self._index.class_names,
                    )
                continue
            raise ValueError(
                f"--masks {self._folder}: masks hold only 0 and 255, which is ignored, the first "
                f"is {looked_at[0]}; write in place of 255 {numbers}"
            )

    def has(self, kinds: Sequence[str], image_id: str) -> bool:
        """Return whether an image has masks of these kinds, and the classes of its objects."""
        there = {kind for kind in KINDS if image_id in self._files[kind]}
        if "semantic" not in there and len(self._classes(image_id)) != 1:
            there.discard("instance")
        return set(kinds) <= there

    def semantic(self, image_id: str) -> np.ndarray:
        """Read the semantic mask of an image, uint8 (H, W)."""
        (path,) = self._paths("semantic", image_id)
        read = read_white if self._white_class else self._colours.read
        label = read(path).astype(np.uint8)
        check_size(f"{path}:", label.shape, self._index, image_id)
        return label

    def instances(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances of an image: masks, bool (N, H, W), and classes, int64 (N,)."""
        masks, classes = list[np.ndarray](), list[np.ndarray]()
        for path in self._paths("instance", image_id):
            if image_id in self._pieces:
                objects, ignored = read_white(path).astype(np.uint8), IGNORE
            else:
                objects, ignored = read_objects(path)
            check_size(f"{path}:", objects.shape, self._index, image_id)
            semantic = self._classes_under(image_id, objects.shape)
            found = split_objects(path, objects, semantic, ignored=ignored)
            masks.append(found[0])
            classes.append(found[1])
        return np.concatenate(masks), np.concatenate(classes)

    def _classes_under(self, image_id: str, size: tuple[int, ...]) -> np.ndarray:
        if image_id in self._files["semantic"]:
            return self.semantic(image_id)
        if len(classes := self._classes(image_id)) == 1:
            return np.full(size, classes[0] + 1, np.uint8)
        raise FileNotFoundError(
            f"{self._paths('semantic', image_id)[0]}: no such file; it says the class of each "
            "object of an image with several"
        )

    def ignored(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Return no regions: in masks they are no objects."""
        return np.zeros((0, 0, 0), bool), np.zeros(0, np.int64)

    def files(self, image_id: str, kind: str) -> list[Path]:
        """Return the masks that an image's ground truth of a kind is read from."""
        kinds = {"semantic": ["semantic"], "instance": ["instance", "semantic"]}[kind]
        return [path for each in kinds for path in self._files[each].get(image_id, ())]

    def _classes(self, image_id: str) -> Sequence[int]:
        return self._index.labels.get(image_id, ())

    def _paths(self, kind: str, image_id: str) -> list[Path]:
        if self._folder is None:
            raise FileNotFoundError(f"{image_id}: has no mask; --masks names the folder of masks")
        named = f"{stem(self._index.images.paths[image_id])}.png"
        return self._files[kind].get(image_id, [self._folder / kind / named])


def _is_white_on_black(path: Path) -> bool:
    try:
        values = set(np.unique(colours_of(path)).tolist())
    except (ValueError, OSError):
        return False  # told where it is read
    return 0xFFFFFF in values and values <= {0, 0xFFFFFF}


def _is_white_around(path: Path) -> bool:
    white = read_white(path)
    return np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]]).mean() > 0.5
