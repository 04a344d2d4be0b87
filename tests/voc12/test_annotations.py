"""Annotation files: what is read, and what is refused."""

from pathlib import Path

import pytest
from voc_tree import annotation

from voc12.annotations import read_classes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "someone.xml"


def test_classes_come_once_and_in_rising_order(path: Path) -> None:
    path.write_text(annotation(["train", "bird", "train", "aeroplane"]))
    assert read_classes(path) == [0, 2, 18]


def test_unknown_class_is_named_with_those_accepted(path: Path) -> None:
    path.write_text(annotation(["bird", "dragon"]))
    with pytest.raises(
        ValueError, match=r"someone\.xml: unknown class 'dragon'.* aeroplane, .*tvm"
    ):
        read_classes(path)


@pytest.mark.parametrize("content", [b"", b"<annotation><object>", b"no xml", b"\xff\xfe\x00"])
def test_broken_xml_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"someone\.xml: broken XML"):
        read_classes(path)
