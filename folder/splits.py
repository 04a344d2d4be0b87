"""Which photographs are train, val and test: as they come, or drawn."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from folder.rows import BITS, word_of
from folder.tree import bare, part_of, stem

_log = logging.getLogger("irnet")
MOST_COPIES = 20  # of a photograph, where a hash alone tells them
# Tools of augmentation write NAME.rf.HASH; others a hash of letters and digits behind a number.
COPY = re.compile(
    r"(.+)\.rf\.\w+|(.*\d.*)[._-](?=[0-9a-f]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}", re.IGNORECASE
)

SPLIT_WORDS = {"split", "set", "subset", "partition", "phase", "dataset"}
# What an image is of where such a column says yes, and where it says no.
YES_NO_WORDS = {"isval": ("val", "train"), "isvalid": ("val", "train"), "istest": ("test", "train")}
YES_NO_WORDS |= {"istrain": ("train", "val"), "istraining": ("train", "val")}
YES_NO_WORDS |= {"istrainingimage": ("train", "test")}


def part_of_file(path: str) -> str:
    """Return the part of a split that a file's name, or else its folder's, tells; else nothing."""
    *folders, name = path.split("/")
    told = {part_of(word) for word in re.split(r"[\W_]+", stem(name))} - {""}
    told = told or {part_of(folder) for folder in folders[-1:]} - {""}
    return told.pop() if len(told) == 1 else ""


def parts_in(name: str, said: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """Return train, val or test by path, where a column or attribute says it; else nothing.

    Args:
        name: what the column is called.
        said: the place, the path and the value of each line.

    Raises:
        ValueError: it lacks a path's part, or has two; names the place.
    """
    values, word = {value.lower() for _, _, value in said}, word_of(name)
    if word in YES_NO_WORDS and values <= BITS.keys():
        yes, no = YES_NO_WORDS[word]
        part_by_value = {value: yes if BITS[value] else no for value in values}
    elif word in SPLIT_WORDS and any(map(part_of, values)):
        part_by_value = {value: part_of(value) for value in values}
    else:
        return {}
    parts: dict[str, str] = {}
    for place, path, value in said:
        part = part_by_value[value.lower()]
        if not part or parts.setdefault(path, part) != part:
            raise ValueError(
                f"{place}: {name!r} is {value!r} for {path!r}; each image is of one of train, val "
                "and test"
            )
    return parts


def parts_by_folder(paths: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Return the part of each image by id, and the depth of the folders that tell it.

    They tell none, and the depth is -1, where not every image lies in one; if there are folders of
    several parts, a warning says so.
    """
    folders = {image_id: path.split("/")[:-1] for image_id, path in paths.items()}
    for depth in range(max(map(len, folders.values()), default=0)):
        found = {i: part_of(f[depth]) if depth < len(f) else "" for i, f in folders.items()}
        if all(found.values()):
            return found, depth
        if len(set(found.values())) > 2:
            named = sorted({folders[i][depth] for i, part in found.items() if part})
            outside = next(paths[i] for i, part in found.items() if not part)
            words = "the folders %s are read as no split, because %s lies in none of them"
            _log.warning(words, ", ".join(named), outside)
    return {}, -1


def folders_of_part(part: str, paths: Iterable[str]) -> list[str]:
    """Return the folders, down to that called like a part of a split, that images lie in."""
    found = dict[str, None]()
    for path in paths if part else ():
        folders = path.split("/")[:-1]
        ends = [n for n, folder in enumerate(folders, 1) if part_of(folder) == part]
        found |= dict.fromkeys("/".join(folders[:end]) for end in ends)
    return list(found)


def split(
    paths: Mapping[str, str], parts: Mapping[str, str], *, share: float, seed: int
) -> dict[str, list[str]]:
    """Return the ids of train, val, all (both) and, where there is one, test.

    Copies of a photograph never stand in both train and val.

    Args:
        paths: of all images with a label, by id.
        parts: train, val or test, by id, as the data come; what is missing is drawn.
        share: part of the images that val is, where it is drawn.
        seed: which of them.

    Raises:
        ValueError: the data are split into val and test, without train.
    """
    if len(set(parts.values())) == 1:
        parts = {}
    if parts and "train" not in parts.values():
        raise ValueError(
            "the data are split into val and test, without train; call a folder, a file of labels "
            "or a value in the column `split` train, or remove what says val and test"
        )
    test = [image_id for image_id in paths if parts.get(image_id) == "test"]
    rest = [image_id for image_id in paths if parts.get(image_id) != "test"]
    copies = _copies(paths)
    val = {image_id for image_id in rest if parts.get(image_id) == "val"}
    if not val and len(rest) > 1:
        val = _draw_val(rest, copies, share=share, seed=seed)
    train = [image_id for image_id in rest if image_id not in val] or rest
    held = {copies[image_id] for image_id in val if image_id in copies}
    if doubled := [image_id for image_id in train if copies.get(image_id) in held]:
        words = "%d images are left out of train, as copies of them are in val, the first is %s"
        _log.warning(words, len(doubled), paths[doubled[0]])
        train = [image_id for image_id in train if image_id not in set(doubled)]
    if parts:
        drawn = "" if "val" in parts.values() else " (drawn from train)"
        words = "the split is that of the data: train %d, val %d%s, test %d"
        _log.info(words, len(train), len(val), drawn, len(test))
    found = {"train": train, "val": [i for i in rest if i in val] or rest, "all": rest}
    return found | ({"test": test} if test else {})


def _copies(paths: Mapping[str, str]) -> dict[str, str]:
    """Return what the copies of a photograph by an augmentation tool share, by the id of each."""
    found = {}
    for image_id, path in paths.items():
        if match := COPY.fullmatch(bare(stem(path))):
            found[image_id] = match[1] or match[2]
    hashed = Counter(m[2] for p in paths.values() if (m := COPY.fullmatch(bare(stem(p)))) and m[2])
    if hashed and (len(hashed) == 1 or max(hashed.values()) > MOST_COPIES):
        found = {i: name for i, name in found.items() if name not in hashed}
    if (originals := len(set(found.values()))) < len(found):
        words = "%d images are copies of %d photographs by their names; copies stay on one side"
        _log.info(words, len(found), originals)
    return found


def _draw_val(
    ids: Sequence[str], copies: Mapping[str, str], *, share: float, seed: int
) -> set[str]:
    """Return the images to validate on: at least one, not all; copies stay together.

    They are drawn by a digest of each id, so that more images move few from one side to the other.
    """
    groups: dict[str, list[str]] = {}
    for image_id in ids:
        groups.setdefault(copies.get(image_id, image_id), []).append(image_id)
    if len(groups) == 1:
        groups = {image_id: [image_id] for image_id in ids}
    ranked = sorted(groups, key=lambda g: hashlib.sha256(f"{seed} {g}".encode()).digest())
    count, val = max(round(share * len(ids)), 1), set[str]()
    for group in ranked[:-1]:
        if len(val) < count:
            val.update(groups[group])
    return val
