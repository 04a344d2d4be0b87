"""Annotation files: what is read, what is refused, and that none is parsed twice."""

import json
import os
from pathlib import Path

import pytest
from voc_tree import annotation

from misc.files import class_store
from voc12 import annotations
from voc12.annotations import Annotations, read_classes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "someone.xml"


def test_classes_come_once_and_in_rising_order(path: Path) -> None:
    path.write_text(annotation(["train", "bird", "train", "aeroplane"]))
    assert read_classes(path) == [0, 2, 18]


def test_annotation_without_objects_has_no_class(path: Path) -> None:
    path.write_text(annotation([]))
    assert read_classes(path) == []


def test_unknown_class_is_named_with_those_accepted(path: Path) -> None:
    path.write_text(annotation(["bird", "dragon"]))
    with pytest.raises(
        ValueError, match=r"someone\.xml: unknown class 'dragon'.* aeroplane, .*tvm"
    ):
        read_classes(path)


def test_object_without_a_name_is_refused(path: Path) -> None:
    path.write_text("<annotation><object/></annotation>")
    with pytest.raises(ValueError, match=r"someone\.xml: unknown class ''"):
        read_classes(path)


@pytest.mark.parametrize("content", [b"", b"<annotation><object>", b"no xml", b"\xff\xfe\x00"])
def test_broken_xml_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"someone\.xml: broken XML"):
        read_classes(path)


def test_unknown_encoding_is_refused(path: Path) -> None:
    path.write_bytes(b'<?xml version="1.0" encoding="klingon"?><annotation/>')
    with pytest.raises(ValueError, match=r"someone\.xml: broken XML"):
        read_classes(path)


def test_other_xml_is_refused(path: Path) -> None:
    path.write_text("<html/>")
    with pytest.raises(ValueError, match=r"someone\.xml: not a VOC annotation.*<html>"):
        read_classes(path)


BOMB = (
    '<?xml version="1.0" encoding="{}"?><!DOCTYPE annotation [<!ENTITY a "lol">'
    '<!ENTITY b "&a;&a;&a;&a;">]><annotation><object><name>&b;</name></object></annotation>'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_entity_declarations_are_refused_in_any_encoding(path: Path, encoding: str) -> None:
    path.write_bytes(BOMB.format(encoding).encode(encoding))
    with pytest.raises(ValueError, match=r"someone\.xml: declares a DOCTYPE or ENTITY"):
        read_classes(path)


def test_huge_file_is_refused_unread(path: Path) -> None:
    path.write_text(annotation(["bird"]) + " " * 1_000_000)
    with pytest.raises(ValueError, match=r"someone\.xml: over 1000000 bytes"):
        read_classes(path)


def test_missing_file_names_itself_and_the_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"someone\.xml: no such file; .*'someone'"):
        Annotations(tmp_path).classes(["someone"])


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids whose files were parsed, in order; every new one is worth storing."""
    calls = []

    def counting(path: Path) -> list[int]:
        calls.append(path.stem)
        return read_classes(path)

    monkeypatch.setattr(annotations, "read_classes", counting)
    monkeypatch.setattr(class_store, "FEWEST_TO_STORE", 1)
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Annotations"
    folder.mkdir()
    for image_id, name in (("a", "bird"), ("b", "cat")):
        (folder / f"{image_id}.xml").write_text(annotation([name]))
    return folder


def test_nothing_is_parsed_twice_in_a_process(folder: Path, parsed: list[str]) -> None:
    reader = Annotations(folder)
    assert reader.classes(["a", "b", "a"]) == [[2], [7], [2]]
    assert reader.classes(["b", "a"]) == [[7], [2]]
    assert parsed == ["a", "b"]


def test_cache_is_used_by_the_next_process(folder: Path, parsed: list[str], tmp_path: Path) -> None:
    Annotations(folder, cache_dir=tmp_path / "cache").classes(["a"])
    Annotations(folder, cache_dir=tmp_path / "cache").classes(["a", "b"])
    assert Annotations(folder, cache_dir=tmp_path / "cache").classes(["a", "b"]) == [[2], [7]]
    assert parsed == ["a", "b"]


def test_cached_entry_of_a_changed_file_is_read_anew(
    folder: Path, parsed: list[str], tmp_path: Path
) -> None:
    Annotations(folder, cache_dir=tmp_path).classes(["a", "b"])
    (folder / "a.xml").write_text(annotation(["cow"]))
    os.utime(folder / "a.xml", ns=(0, 10**18 + 1))
    assert Annotations(folder, cache_dir=tmp_path).classes(["a", "b"]) == [[9], [7]]
    assert parsed == ["a", "b", "a"]


def test_cache_of_another_folder_is_not_used(
    folder: Path, parsed: list[str], tmp_path: Path
) -> None:
    Annotations(folder, cache_dir=tmp_path).classes(["a"])
    other = folder.rename(tmp_path / "other")
    Annotations(other, cache_dir=tmp_path).classes(["a"])
    assert parsed == ["a", "a"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"images": {"a": 1}}'])
def test_broken_cache_is_ignored_and_replaced(
    folder: Path, parsed: list[str], tmp_path: Path, content: str
) -> None:
    store = tmp_path / "image_labels.json"
    store.write_text(content)
    assert Annotations(folder, cache_dir=tmp_path).classes(["a"]) == [[2]]
    assert json.loads(store.read_text())["images"]["a"]["classes"] == [2]


def test_a_handful_of_images_does_not_rewrite_the_cache(folder: Path, tmp_path: Path) -> None:
    Annotations(folder, cache_dir=tmp_path).classes(["a", "b"])
    assert not (tmp_path / "image_labels.json").exists()
