"""Where the files of Cityscapes lie: KIND/SPLIT/CITY/NAME_KIND.png; an image's id is its NAME."""

import os
from collections.abc import Iterator
from pathlib import Path

from misc.files.atomic import names_in
from misc.files.id_lists import list_file, read_list

SPLITS = ("train", "val", "test")
EXPECTED_COUNTS = {"train": 2975, "val": 500, "test": 1525}
IMAGES, TRUTH = "leftImg8bit", "gtFine"
IMAGE_ENDING = "_leftImg8bit.png"
# The truth's files, by what is read from them.
TRUTH_ENDINGS = {
    "semantic": "_gtFine_labelIds.png",
    "instance": "_gtFine_instanceIds.png",
}


def read_split(root: Path, name_or_file: str | os.PathLike[str]) -> list[str]:
    """Return the image ids of train, val or test, sorted, or of a text file, each with its image.

    Raises:
        FileNotFoundError: the split or an image of the list is missing.
        ValueError: an unknown split, or an invalid list.
    """
    name = os.fspath(name_or_file)
    if name not in SPLITS:
        return _with_images(root, read_list(list_file(name, splits=SPLITS)), name)
    folder = root / IMAGES / name
    ids = [image_id for city in cities(folder) for image_id in images_in(city)]
    if not ids:
        raise FileNotFoundError(
            f"split {name}: no image in {folder}; {folder / 'CITY' / f'NAME{IMAGE_ENDING}'} is "
            "expected"
        )
    return ids


def cities(folder: Path) -> list[Path]:
    """Return the folders of the cities of a split."""
    return [folder / name for name in sorted(names_in(folder)) if (folder / name).is_dir()]


def images_in(city: Path) -> list[str]:
    """Return the images in a folder, sorted; macOS's `._NAME` beside a NAME is none."""
    return sorted(name for name in names_in(city, IMAGE_ENDING) if not name.startswith("."))


def split_of(root: Path, image_id: str) -> str | None:
    """Return the split that has an image; None where none has it."""
    city = city_of(image_id)
    places = ((name, names_in(root / IMAGES / name / city, IMAGE_ENDING)) for name in SPLITS)
    return next((name for name, names in places if image_id in names), None)


def city_of(image_id: str) -> str:
    """Return the city that an image was taken in, with which its name begins."""
    return image_id.split("_")[0]


def image_path(root: Path, image_id: str) -> Path:
    """Return the path of an image."""
    split = split_of(root, image_id) or SPLITS[0]
    return root / IMAGES / split / city_of(image_id) / f"{image_id}{IMAGE_ENDING}"


def truth_path(root: Path, kind: str, image_id: str) -> Path:
    """Return the path of an image's truth of a kind of TRUTH_ENDINGS."""
    split = split_of(root, image_id) or SPLITS[0]
    return root / TRUTH / split / city_of(image_id) / f"{image_id}{TRUTH_ENDINGS[kind]}"


def has_truth(root: Path, kind: str, image_id: str) -> bool:
    """Return whether an image has truth of a kind; that of test is withheld, its files are void."""
    split = split_of(root, image_id)
    folder = root / TRUTH / str(split) / city_of(image_id)
    return split != "test" and image_id in names_in(folder, TRUTH_ENDINGS[kind])


def own_ids(root: Path) -> Iterator[str]:
    """Yield the images of train and val."""
    for name in ("train", "val"):
        for city in cities(root / IMAGES / name):
            yield from images_in(city)


def _with_images(root: Path, ids: list[str], source: str) -> list[str]:
    missing = [image_id for image_id in ids if split_of(root, image_id) is None]
    if missing:
        raise FileNotFoundError(
            f"{source}: {len(missing)} of {len(ids)} ids have no image, the first is "
            f"{missing[0]!r}; {image_path(root, missing[0])}, or that of another split, is expected"
        )
    return ids
