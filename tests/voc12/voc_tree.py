"""Helpers that write the text files of a VOC folder."""

from pathlib import Path


def annotation(names: list[str]) -> str:
    objects = "".join(
        f"<object><name>{name}</name><difficult>1</difficult>"
        "<part><name>head</name></part></object>"
        for name in names
    )
    return f"<annotation><folder>VOC2012</folder>{objects}</annotation>"


def write_list(root: Path, name: str, ids: list[str]) -> Path:
    path = root / "ImageSets" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{image_id}\n" for image_id in ids), encoding="utf-8")
    return path
