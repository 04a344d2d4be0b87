"""Labels in the JSON and XML of annotation tools, whose shapes are not looked at."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from folder.class_names import choose
from folder.rows import SURE_WORDS, UNREAD, Entry, File, Labels, has_keys, rows_of, word_of
from folder.splits import parts_in
from folder.table_lines import key_of_paths
from folder.tree import normal

_log = logging.getLogger("irnet")


def label_studio(file: File) -> Labels | None:
    """Label Studio: the results of a task's annotations; a task without any has no label."""
    tasks = file.content
    if not isinstance(tasks, list) or not all(has_keys(task, data=dict) for task in tasks):
        return None
    entries, differ = list[Entry](), list[str]()
    path_key = key_of_paths(file, [task["data"] for task in tasks])
    for number, task in enumerate(tasks):
        place, path = f"{file.path}, task {task.get('id', number)}", task["data"].get(path_key, "")
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
    if not items or not all(has_keys(item, filename=str, regions=(list, dict)) for item in items):
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
    names and whether they are there; or objects of these kinds, without a score. All else but an
    empty value is UNREAD.
    """
    if isinstance(value, str):
        return {name: [value]}
    if isinstance(value, list):
        found: dict[str, list[str]] = {}
        for each in value:
            add_values(found, values_of(name, each))
        return found
    if value is None or value == {}:
        return {}
    if not isinstance(value, Mapping):
        return {name: [UNREAD]}
    if all(isinstance(each, bool) for each in value.values()):
        return {name: [str(key) for key, each in value.items() if each]}
    for key, each in value.items():
        if key == "taxonomy":
            return {name: [path[-1] for path in each]}
        if key == "label" and any(word_of(k) in SURE_WORDS and value[k] != 1 for k in value):
            return {name: [UNREAD]}
        if key in ("choices", "label"):
            return {name: values_of(name, each).get(name, [])}
        if key.endswith("labels"):  # of boxes, polygons and so on, whatever each is called
            return {"label": values_of(name, each).get(name, [])}
    if name in ("region_attributes", "file_attributes"):
        return {k: v for key, each in value.items() for k, v in values_of(key, each).items()}
    return {name: [UNREAD]}


def add_values(found: dict[str, list[str]], more: Mapping[str, Sequence[str]]) -> None:
    """Add values of attributes to those that are found, in place."""
    for name, values in more.items():
        found.setdefault(name, []).extend(values)


def _labels(file: File, entries: Sequence[Entry]) -> Labels:
    name = choose(file, entries)
    return Labels(rows_of((e.place, e.path, e.values.get(name, ())) for e in entries))
