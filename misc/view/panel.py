"""Images with overlays, titles and legends, drawn by matplotlib."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from misc.view.pictures import Layer
from misc.view.plots import DPI, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE, _GAP = 0.21, 0.2  # height of a line of text, and between pictures, inches
_SMALLEST = 2.6, 0.5  # width and height of a picture's place, inches
_MOST_ENTRIES = 40


@style()
def panel(
    image: np.ndarray, layers: Sequence[Layer], *, columns: int = 1, longest: int = 1200
) -> "Figure":
    """Draw overlays on an image, each with its title above it and its legend below it.

    Args:
        image: uint8 (H, W, 3).
        layers: the overlays; a legend names 40 entries at most.
        columns: pictures in a row.
        longest: the longer side of a picture is 300 to this many pixels long.
    """
    size = np.array(image.shape[1::-1])
    large = size * np.clip(size.max(), 300, longest) / size.max() / DPI
    width, height = (float(side) for side in np.maximum(large, _SMALLEST))
    letters = int(width * 12)  # of a line
    above = _LINE * max(_lines(layer.title, letters) + 0.5 for layer in layers)
    below = _LINE * max(
        _lines(layer.note, letters) + _rows(layer, letters) + 0.5 for layer in layers
    )
    row_height = above + height + below
    whole = columns * (width + _GAP) + _GAP, -(-len(layers) // columns) * row_height
    figure = new_figure(*whole, constrained=False)
    for number, layer in enumerate(layers):
        row, column = divmod(number, columns)
        left, bottom = _GAP + column * (width + _GAP), whole[1] - (row + 1) * row_height + below
        axes = figure.add_axes(
            (left / whole[0], bottom / whole[1], width / whole[0], height / whole[1])
        )
        overlay(axes, image, layer)
        axes.set_title(textwrap.fill(layer.title, letters), loc="left")
        _add_legend(axes, layer, letters)
    return figure


def overlay(axes: "Axes", image: np.ndarray, layer: Layer) -> None:
    """Draw an overlay on an image, uint8 (H, W, 3), under its title."""
    height, width = image.shape[:2]
    extent = (0, width, height, 0)
    axes.set_axis_off()
    axes.imshow(image, extent=extent, aspect="equal")
    if layer.picture is not None:
        smooth = "nearest" if layer.picture.shape[2] == 4 else "bilinear"
        axes.imshow(layer.picture, extent=extent, alpha=layer.opacity, interpolation=smooth)
    axes.set_title(layer.title, loc="left")


def _add_legend(axes: "Axes", layer: Layer, letters: int) -> None:
    from matplotlib.patches import Patch

    entries = list(layer.entries[:_MOST_ENTRIES])
    if more := len(layer.entries) - len(entries):
        entries.append((f"and {more} more", (255, 255, 255)))
    legend = axes.legend(
        [Patch(color=np.array(colour) / 255) for _, colour in entries],
        [" "] * len(entries),  # a label that begins with "_" would be left out here
        title=textwrap.fill(layer.note, letters),
        ncols=_columns(layer, letters),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        alignment="left",
        handlelength=1.2,
        borderaxespad=0.2,
        borderpad=0,
        frameon=False,
    )
    for text, (name, _) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(name)


def _columns(layer: Layer, letters: int) -> int:
    return max(1, letters // (6 + max((len(name) for name, _ in layer.entries), default=0)))


def _rows(layer: Layer, letters: int) -> int:
    return -(-min(len(layer.entries), _MOST_ENTRIES + 1) // _columns(layer, letters))


def _lines(words: str, letters: int) -> int:
    return len(textwrap.wrap(words, letters))
