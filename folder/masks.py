"""Ground truth of those images that have it: PNGs as tools write them, or a COCO JSON."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from folder.coco_json import Content, id_of, parse
from folder.colours import ClassColours, colours_of, read_objects
from folder.index import Index
from folder.label_files import read_json
from folder.rows import is_background
from folder.tree import BARE, EXACT, files_below, is_photograph, stem
from misc.files.coco import draw_masks
from misc.files.dataset import KINDS
from misc.files.images import is_turned, photograph_size
from misc.files.object_maps import split_objects
from misc.imutils import IGNORE

_log = logging.getLogger("irnet")
LOOKED_AT = 20  # masks, to see whether they hold numbers of classes and objects
FOLDERS = {"semantic": "semantic", "segmentationclass": "semantic"}
FOLDERS |= {"instance": "instance", "segmentationobject": "instance"}
# What may stand behind the image's name in that of its mask, and of one that has a single object.
WORD = re.compile(
    r"[\s._-]+(masks?|seg|segmentation|labels?|gt|instances?|semantic)$", re.IGNORECASE
)
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
        if is_piece and kind == "semantic":
            return False
        files = self._files[kind]
        if not ids:
            return False
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
        whole, plain = stem(path), WORD.sub("", stem(path))
        for name in (whole, plain, WORD.sub("", NUMBER.sub("", plain))):
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
        wanted = {
            "semantic": f"a class is its number, 1 to {len(self._index.class_names)}",
            "instance": "objects are numbered from 1",
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
                continue
            raise ValueError(
                f"--masks {self._folder}: masks hold only 0 and 255 (ignored), the first is "
                f"{looked_at[0]}; {numbers}"
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
        if self._white_class:
            label = (colours_of(path) > 0).astype(np.uint8)
        else:
            label = self._colours.read(path)
        _check_size(f"{path}:", label.shape, self._index, image_id)
        return label

    def instances(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances of an image: masks, bool (N, H, W), and classes, int64 (N,)."""
        masks, classes = list[np.ndarray](), list[np.ndarray]()
        for path in self._paths("instance", image_id):
            if image_id in self._pieces:
                objects, ignored = (colours_of(path) > 0).astype(np.uint8), IGNORE
            else:
                objects, ignored = read_objects(path)
            _check_size(f"{path}:", objects.shape, self._index, image_id)
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


class CocoMasks:
    """The masks of a COCO JSON, whose categories are classes by their names.

    In the semantic label a later annotation lies over an earlier one; crowds are ignored. An image
    of which an annotation has a box alone has no masks.
    """

    def __init__(self, path: Path, index: Index) -> None:
        self._path, self._index = path, index
        content = parse(path, read_json(path))
        self._sizes: dict[str, tuple[int, int] | None] = {}
        self._known = self._match(content)
        self._class_ids = self._classes_of(content.categories)

    def _match(self, content: Content) -> dict[str, list[Mapping[str, Any]]]:
        """Return the annotations of each image by its id; log how many there are."""
        known, boxes = {}, 0
        for number, name in content.images.items():
            ids, _ = self._index.images.match(name)
            shapes = content.annotations[number]
            if len(ids) == 1 and all(each.get("segmentation") for each in shapes):
                known[ids[0]] = shapes
                self._sizes[ids[0]] = content.sizes.get(number)
            boxes += len(ids) == 1 and ids[0] not in known
        count = len(self._index.images.paths)
        words = f"masks: {len(known)} of {count} images have some in {self._path}"
        words += f"; {boxes} have boxes without masks" if boxes else ""
        _log.log(logging.INFO if known else logging.WARNING, "%s", words)
        return known

    def _classes_of(self, names: Mapping[str, str]) -> dict[str, int]:
        """Return the class of each category; one that is no class has no annotation."""
        used = {id_of(a, "category_id") for found in self._known.values() for a in found}
        for number in sorted(used):
            name = names[number]
            if name not in self._index.class_names and not is_background(name):
                raise ValueError(
                    f"--masks {self._path}: the category {name!r} is no class; a file "
                    "--class_names names all classes"
                )
        classes = {name: place for place, name in enumerate(self._index.class_names)}
        return {number: classes[name] for number, name in names.items() if name in classes}

    def has(self, kinds: Sequence[str], image_id: str) -> bool:
        """Return whether an image has masks."""
        return image_id in self._known

    def files(self, image_id: str, kind: str) -> list[Path]:
        """Return the file that an image's ground truth is read from."""
        return [self._path]

    def semantic(self, image_id: str) -> np.ndarray:
        """Read the semantic label of an image: uint8 (H, W)."""
        masks, classes, crowds = self._read(image_id)
        label = np.zeros(masks.shape[1:], np.uint8)
        label[masks[crowds].any(axis=0)] = IGNORE
        for mask, class_id in zip(masks[~crowds], classes[~crowds], strict=True):
            label[mask] = class_id + 1
        return label

    def instances(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances of an image: masks, bool (N, H, W), and classes, int64 (N,)."""
        masks, classes, crowds = self._read(image_id)
        return masks[~crowds], classes[~crowds]

    def ignored(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the crowds of an image: masks, bool (M, H, W), and classes, int64 (M,)."""
        masks, classes, crowds = self._read(image_id)
        return masks[crowds], classes[crowds]

    def _read(self, image_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if image_id not in self._known:
            raise FileNotFoundError(f"{image_id}: has no masks in {self._path}")
        found = [
            (each, self._class_ids[id_of(each, "category_id")], bool(each.get("iscrowd")))
            for each in self._known[image_id]
            if id_of(each, "category_id") in self._class_ids
        ]
        source = f"{self._path}: the mask of {self._index.images.paths[image_id]}"
        size = _check_size(source, self._sizes[image_id], self._index, image_id)
        masks = draw_masks([annotation for annotation, _, _ in found], size, self._path)
        classes = np.array([class_id for _, class_id, _ in found], np.int64)
        return masks, classes, np.array([is_crowd for _, _, is_crowd in found], bool)


def _check_size(
    source: object, said: tuple[int, ...] | None, index: Index, image_id: str
) -> tuple[int, int]:
    """Return the size (H, W) of an image; another one said of its mask is refused."""
    image = index.images.root / index.images.paths[image_id]
    size = photograph_size(image)
    if said and said != size:
        turned = said == size[::-1] and is_turned(image)
        why = "; EXIF turns the image, and its mask has to be drawn on it so" if turned else ""
        raise ValueError(f"{source} is {said} pixels, its image is {size}{why}")
    return size


def _is_white_on_black(path: Path) -> bool:
    try:
        values = set(np.unique(colours_of(path)).tolist())
    except (ValueError, OSError):
        return False  # told where it is read
    return 0xFFFFFF in values and values <= {0, 0xFFFFFF}
