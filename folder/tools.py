"""Labels in the JSON and XML of annotation tools, whose shapes are not looked at."""

import logging
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from folder.rows import CLASS_WORDS, Entry, File, Labels, choose, rows_of, word_of
from folder.splits import parts_in
from folder.tree import EXACT, is_photograph, normal, stem

_log = logging.getLogger("irnet")
NUMBER = re.compile(r"[-+]?\d*\.?\d+(e[-+]?\d+)?", re.IGNORECASE)


def label_studio(file: File) -> Labels | None:
    """Label Studio: the results of a task's annotations; a task without any has no label."""
    tasks = file.content
    if not isinstance(tasks, list) or not all(_has(task, data=dict) for task in tasks):
        return None
    entries, differ = list[Entry](), list[str]()
    for number, task in enumerate(tasks):
        place, path = f"{file.path}, task {task.get('id', number)}", path_in(file, task["data"])
        said = set()
        for annotation in task.get("annotations", ()):
            if not annotation.get("was_cancelled"):
                found = [
                    Entry(place, path, values_of(str(result.get("from_name")), result.get("value")))
                    for result in annotation.get("result", ())
                ]
                said.add(frozenset(n for e in found for names in e.values.values() for n in names))
                entries += [Entry(place, path, {}), *found]
        differ += [place] * (len(said) > 1)
    if differ:
        words = "%s: annotators differ in %d tasks, the first is %s; the classes of all are taken"
        _log.warning(words, file.path, len(differ), differ[0])
    return _labels(file, entries)


def via(file: File) -> Labels | None:
    """VIA: the attributes of an image's regions or, where no region has any, of the file."""
    content = file.content
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    items = list(content.values()) if isinstance(content, dict) else []
    if not items or not all(_has(item, filename=str, regions=(list, dict)) for item in items):
        return None
    entries, files = [], []
    for item in items:
        place, regions = f"{file.path}, {item['filename']}", item["regions"]
        regions = list(regions.values()) if isinstance(regions, dict) else regions
        entries.append(Entry(place, item["filename"], {}))
        for region in regions:
            values = values_of("region_attributes", region.get("region_attributes"))
            entries.append(Entry(place, item["filename"], values))
        values = values_of("file_attributes", item.get("file_attributes"))
        files.append(Entry(place, item["filename"], values))
    has_any = any(v for entry in entries for found in entry.values.values() for v in found)
    return _labels(file, entries if has_any else files)


def cvat(file: File) -> Labels | None:
    """CVAT for images: the labels of an image's shapes and tags."""
    images = file.content.findall("image")
    if file.content.tag != "annotations":
        return None
    if not images:
        raise ValueError(
            f"{file.path}: names no image; of CVAT, export `CVAT for images`, not for video"
        )
    found = [
        (
            f"{file.path}, image {i.get('id')}",
            i.get("name", ""),
            [each.get("label", "") for each in i],
        )
        for i in images
    ]
    subsets = [
        (place, path, image.get("subset", ""))
        for image, (place, path, _) in zip(images, found, strict=True)
    ]
    names = [normal(name.text or "") for name in file.content.findall(".//labels/label/name")]
    return Labels(rows_of(found, parts_in("subset", subsets)), list(dict.fromkeys(names)) or None)


def values_of(name: str, value: Any) -> dict[str, list[str]]:
    """Return the class names in what a tool writes of an image or object, by its attribute.

    That is text; a list of names; an object with a list of names called choices, …labels; one of
    names and whether they are there; or objects of these kinds. Numbers are none.
    """
    if isinstance(value, str):
        return {name: [value]}
    if isinstance(value, list):
        found: dict[str, list[str]] = {}
        for each in value:
            add_values(found, values_of(name, each))
        return found
    if not isinstance(value, Mapping) or not value:
        return {}
    if all(isinstance(each, bool) for each in value.values()):
        return {name: [str(key) for key, each in value.items() if each]}
    for key, each in value.items():
        if key == "taxonomy":
            return {name: [path[-1] for path in each]}
        if key in ("choices", "label"):
            return {name: values_of(name, each).get(name, [])}
        if key.endswith("labels"):  # of boxes, polygons and so on, whatever each is called
            return {"label": values_of(name, each).get(name, [])}
    if name in ("region_attributes", "file_attributes"):
        return {k: v for key, each in value.items() for k, v in values_of(key, each).items()}
    return {}


def add_values(found: dict[str, list[str]], more: Mapping[str, Sequence[str]]) -> None:
    """Add values of attributes to those that are found, in place."""
    for name, values in more.items():
        found.setdefault(name, []).extend(values)


def file_of_one_image(file: File) -> Labels | None:
    """A file of one image by labelme, or in VOC's form."""
    _tell_flags(file, [file.content])
    entry = _entry(file, f"{file.path}", Path(file.path.name), file.content)
    return None if entry is None else _labels(file, [entry])


def folder_of_files(file: File) -> Labels | None:
    """A folder with such a file for each image, or one of YOLO's lines of class numbers."""
    entries, endings = [], {path.suffix.lower(): path for path in file.content}
    if len(endings) > 1:
        raise ValueError(
            f"{file.path}: {' and '.join(map(str, endings.values()))} are files of several tools; "
            "leave those of one: .json of labelme, .xml of VOC or .txt of YOLO"
        )
    _tell_flags(file, list(file.content.values()))
    for path, content in file.content.items():
        place = f"{file.path / path}"
        if (entry := _entry(file, place, path, content)) is None:
            raise ValueError(
                f"{place}: no file of labelme or VOC, as a folder of --labels has; of "
                "other tools name one file"
            )
        entries.append(entry)
    return _labels(file, entries)


def _entry(file: File, place: str, path: Path, content: Any) -> Entry | None:
    """Return what a file of one image says; None where it is no such file."""
    image = own = stem(path.as_posix())
    if isinstance(content, str):
        values = {"label": _yolo(file.names, place, content)}
    elif isinstance(content, ElementTree.Element) and content.tag == "annotation":
        image = content.findtext("filename") or own
        objects = [x for x in content.findall("object") if x.findtext("deleted") != "1"]
        values = {"label": [each.findtext("name") or "" for each in objects]}
    elif _has(content, shapes=list, imagePath=str):
        image = content["imagePath"]
        flags = [flag for flag in _flags(content) if not file.names or flag in file.names]
        values = {"label": [*(str(shape.get("label")) for shape in content["shapes"]), *flags]}
    else:
        return None
    named, same = (set(file.images.match(n)[0]) for n in (image, own))
    if named and same and not named & same:
        raise ValueError(
            f"{place}: it says it is of {image!r}, and is called as another image is; give both "
            "the same name, or remove the copy"
        )
    # An image may have been renamed together with its file.
    for name in (f"{path.parent.as_posix()}/{image}", own, f"images/{own}"):
        if file.images.match(name)[1] == EXACT:
            return Entry(place, name, values)
    return Entry(place, image if file.images.has(image) else own, values)


def _flags(content: Any) -> list[str]:
    """Return labelme's flags of an image, not of its shapes, that are true."""
    flags = content.get("flags") if isinstance(content, dict) else None
    return [str(flag) for flag, is_true in (flags or {}).items() if is_true is True]


def _tell_flags(file: File, contents: Sequence[Any]) -> None:
    if flags := sorted({flag for content in contents for flag in _flags(content)}):
        classes = "those that --class_names has" if file.names else "all"
        words = (
            "%s: images have labelme's flags %s; %s are classes (a file --class_names says which)"
        )
        _log.warning(words, file.path, ", ".join(map(repr, flags)), classes)


def _yolo(names: Sequence[str] | None, place: str, text: str) -> list[str]:
    """Return the classes of an image's lines: a number from 0, then the object's place."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        first, *places = line.split() or [""]
        is_box = len(places) >= 4 and all(NUMBER.fullmatch(each) for each in places)
        if first and not (first.isdecimal() and is_box):
            raise ValueError(f"{place}, line {number}: {line!r} is no class number and box of YOLO")
        if first and int(first) >= len(names or ()):
            has = "there is no" if names is None else f"{len(names)} names are in"
            raise ValueError(
                f"{place}, line {number}: YOLO's class {first} is a number from 0, and {has} "
                "--class_names; name its file of names, for example classes.txt"
            )
        found += [names[int(first)]] if names and first else []
    return found


def _labels(file: File, entries: Sequence[Entry]) -> Labels:
    name = choose(file, entries)
    return Labels(rows_of((e.place, e.path, e.values.get(name, ())) for e in entries))


def path_in(file: File, item: Mapping[str, Any]) -> str:
    """Return the value of an object that is the path of an image, there or missing."""
    texts = {
        key: value
        for key, value in item.items()
        if isinstance(value, str) and word_of(key) not in CLASS_WORDS
    }
    like = {key: value for key, value in texts.items() if is_photograph(unquote(value))}
    there = {k: v for k, v in (like or texts).items() if file.images.has(v)} or like
    images = {tuple(file.images.match(value)[0]) or value for value in there.values()}
    if len(images) > 1:
        raise ValueError(
            f"{file.path}: {', '.join(map(repr, there))} may each hold the image in "
            f"{reprlib.repr(dict(item))}; leave one"
        )
    if not there:
        raise ValueError(f"{file.path}: no path of an image in {reprlib.repr(dict(item))}")
    return next(iter(there.values()))


def _has(content: Any, **kinds: Any) -> bool:
    """Return whether an object has these keys, each with a value of its kind."""
    return isinstance(content, dict) and all(
        isinstance(content.get(key), kind) for key, kind in kinds.items()
    )
