"""Where the files of Cityscapes lie: KIND/SPLIT/CITY/NAME_KIND.png; an image's id is its NAME."""

import os
from functools import cached_property
from pathlib import Path

from misc.files.atomic import names_in
from misc.files.id_lists import list_file, read_list

SPLITS = ("train", "val", "test")
EXPECTED_COUNTS = {"train": 2975, "val": 500, "test": 1525}
IMAGE = "leftImg8bit"
# The truth's files, by what is read from them.
TRUTH = {"semantic": "gtFine_labelIds", "instance": "gtFine_instanceIds"}


class Layout:
    """The files in a Cityscapes folder; its images are listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / IMAGE).is_dir():
            raise FileNotFoundError(
                f"--data_root {root}: no folder {IMAGE} in it; that of Cityscapes holds {IMAGE} "
                "and gtFine"
            )

    @cached_property
    def places(self) -> dict[str, str]:
        """Return the SPLIT/CITY of each image, split by split and sorted."""
        return {
            image_id: f"{split}/{city}"
            for split in SPLITS
            for city in sorted(names_in(self.root / IMAGE / split))
            for image_id in sorted(names_in(self.root / IMAGE / split / city, f"_{IMAGE}.png"))
            if not image_id.startswith(".")  # macOS writes ._NAME beside a NAME
        }

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the image ids of train, val or test, or of a text file, each with its image."""
        name = os.fspath(name_or_file)
        if name in SPLITS:
            ids = [i for i, place in self.places.items() if place.startswith(f"{name}/")]
            if not ids:
                folder = self.root / IMAGE / name
                raise FileNotFoundError(
                    f"split {name}: no image in {folder}; {folder}/CITY/NAME_{IMAGE}.png is "
                    "expected"
                )
            return ids
        ids = read_list(list_file(name, splits=SPLITS))
        if missing := [image_id for image_id in ids if image_id not in self.places]:
            raise FileNotFoundError(
                f"{name}: {len(missing)} of {len(ids)} ids have no image, the first is "
                f"{missing[0]!r}; {self.path(IMAGE, missing[0])}, or that of another split, is "
                "expected"
            )
        return ids

    def path(self, kind: str, image_id: str) -> Path:
        """Return the path of an image, or of its truth of a kind."""
        usual = f"{SPLITS[0]}/{image_id.split('_')[0]}"
        place = self.places.get(image_id, usual)
        return self.root / kind.split("_")[0] / place / f"{image_id}_{kind}.png"

    def has_truth(self, image_id: str, kind: str) -> bool:
        """Return whether an image has truth of a kind; the files of test are void."""
        path = self.path(TRUTH[kind], image_id)
        withheld = self.places.get(image_id, "test/").startswith("test/")
        return not withheld and path.name in names_in(path.parent)
