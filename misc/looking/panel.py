"""Titled pictures with legends, in rows on one page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from misc.files.palette import Entry
from misc.imutils import rescale
from misc.looking.pictures import colour_wheel, heat_colours, lay

_TITLE, _GAP, _LINE, _SWATCH = 24, 10, 19, 12
_WHEEL = 56
_SHORTEST, _LONGEST, _NARROWEST, _MOST = 300, 1200, 120, 40


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One picture of a page.

    Attributes:
        title: what it is, above it.
        picture: uint8 (h, w, 3).
        entries: names and colours below it.
        note: how to read it, below it, before the entries.
        scale: "" or what is drawn below it: "heat" for a bar from 0 to 1, "wheel" for directions.
    """

    title: str
    picture: np.ndarray
    entries: Sequence[Entry] = field(default=())
    note: str = ""
    scale: str = ""


@dataclass(frozen=True, kw_only=True)
class Layer(Cell):
    """An overlay: a stage's result for an image; its picture may be (h, w, 4), with transparency.

    Attributes:
        opacity: its initial opacity over the image.
    """

    opacity: float


def overlay_panel(title: str, image: np.ndarray, layers: Sequence[Layer]) -> np.ndarray:
    """Lay overlays on an image, uint8 (H, W, 3), side by side with their legends.

    Args:
        title: of the image.
        image: in any size; it is drawn 300 to 1200 pixels long.
        layers: the overlays, each with 40 entries of its legend at most.
    """
    longest = max(image.shape[:2])
    small = rescale(image, min(max(_SHORTEST, longest), _LONGEST) / longest)
    cells = [
        Cell(
            title=f"{title}: {layer.title}",
            picture=lay(small, layer.picture, layer.opacity),
            entries=layer.entries[:_MOST],
            note=layer.note,
        )
        for layer in layers
    ]
    height, width = small.shape[:2]
    return panel(cells, (height, max(width, _NARROWEST)), columns=len(cells))


def panel(cells: Sequence[Cell], size: tuple[int, int], columns: int) -> np.ndarray:
    """Lay out cells in rows on a white page, each picture resized to `size` = (H, W)."""
    height, width = size
    strips = [_strip(cell, width) for cell in cells]
    rows = [range(i, min(i + columns, len(cells))) for i in range(0, len(cells), columns)]
    heights = [_TITLE + height + max(strips[i].height for i in row) + _GAP for row in rows]
    page = Image.new("RGB", (columns * (width + _GAP) + _GAP, sum(heights) + _GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    y = _GAP
    for row, row_height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            x = _GAP + column * (width + _GAP)
            draw.text((x, y), cells[i].title, fill="black", font=font)
            picture = Image.fromarray(cells[i].picture)
            resized = picture.resize((width, height), Image.Resampling.BICUBIC)
            page.paste(resized, (x, y + _TITLE))
            page.paste(strips[i], (x, y + _TITLE + height + 2))
        y += row_height
    return np.asarray(page)


def _strip(cell: Cell, width: int) -> Image.Image:
    """Draw a picture's legend: a scale, a note, names and colours, in lines."""
    font = ImageFont.load_default(size=12)
    strip = Image.new("RGB", (width, 600), "white")
    draw, y = ImageDraw.Draw(strip), 2
    if cell.scale == "heat":
        length = min(100, width - 28)
        bar = heat_colours(np.linspace(0, 1, length)[None].repeat(10, axis=0))
        strip.paste(Image.fromarray(bar), (12, y + 4))
        draw.text((0, y + 9), "0", fill="black", font=font, anchor="lm")
        draw.text((length + 17, y + 9), "1", fill="black", font=font, anchor="lm")
        y += _LINE
    if cell.scale == "wheel":
        strip.paste(Image.fromarray(colour_wheel(_WHEEL)), (0, y))
        for number, words in enumerate(_wrapped(cell.note, font, width - _WHEEL - 8)):
            draw.text((_WHEEL + 8, y + _LINE * number), words, fill="black", font=font)
        return strip.crop((0, 0, width, y + _WHEEL))
    for words in _wrapped(cell.note, font, width):
        draw.text((0, y), words, fill="black", font=font)
        y += _LINE - 3
    x = 0
    for name, colour in cell.entries:
        needed = _SWATCH + 5 + int(font.getlength(name)) + 10
        if x and x + needed > width:
            x, y = 0, y + _LINE
        draw.rectangle(
            (x, y + 3, x + _SWATCH, y + 3 + _SWATCH), fill=tuple(colour), outline="black"
        )
        draw.text((x + _SWATCH + 5, y + 9), name, fill="black", font=font, anchor="lm")
        x += needed
    return strip.crop((0, 0, width, y + (_LINE if x else 2)))


def _wrapped(
    words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
