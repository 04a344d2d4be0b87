"""What a stage will read and write, said before it runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Need:
    """Files that a stage reads and another one makes, or the user brings.

    Attributes:
        flag: the setting that says where they are.
        paths: the files; where an .npz lacks, an .npy of the same name will do.
        read: reads one of them; ValueError if it is broken.
        remedy: what to do where they are missing.
    """

    flag: str
    paths: Sequence[Path]
    read: Callable[[Any], Any]
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Truths:
    """Ground truth of the images of a list, which a stage reads.

    Attributes:
        flag: the setting that names the list.
        name: of the list.
        ids: its images.
        kinds: of labels that are read: `semantic`, `instance`.
        some: whether the images that have it will do, if there is one; else all must have it.
    """

    flag: str
    name: str
    ids: Sequence[str]
    kinds: Sequence[str]
    some: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stage will read and write.

    Attributes:
        images: ids whose image is read.
        labelled: ids whose image-level label is read.
        truths: ground truth that is read.
        needs: what other stages make.
        modules: modules that it imports, and the packages that have them.
        writes: the files that it makes.
        bytes_each: their usual size, where none is there to be measured.
    """

    images: Sequence[str] = ()
    labelled: Sequence[str] = ()
    truths: Sequence[Truths] = ()
    needs: Sequence[Need] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    writes: Sequence[Path] = ()
    bytes_each: int = 0


def made_by(flag: str, stage: str, paths: Sequence[Path], read: Callable[[Any], Any]) -> Need:
    """Need files that a stage makes."""
    remedy = f"the stage {stage} makes it: --{stage}_pass True, or name a place that has it"
    return Need(flag=flag, paths=paths, read=read, remedy=remedy)
