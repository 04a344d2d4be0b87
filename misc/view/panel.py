"""Pictures of an image with an overlay, its title and its legend, drawn by matplotlib."""

import io
import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from misc.view.charts import STYLE
from misc.view.layers import Layer

DPI = 100
_SMALLEST = 2.6, 0.5  # width and height of a picture's place, inches
_MOST_ENTRIES = 40


@matplotlib.rc_context(STYLE)
def draw(image: np.ndarray, layer: Layer, *, longest: int, kind: str = "png") -> bytes:
    """Draw an overlay on an image, uint8 (H, W, 3), under its title and above its legend.

    The longer side of the image is 300 to `longest` pixels long; a legend names 40 entries at most.
    Encoded as PNG or JPG.
    """
    size = np.array(image.shape[1::-1])
    large = size * np.clip(size.max(), 300, longest) / size.max() / DPI
    figure = Figure(np.maximum(large, _SMALLEST), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    extent = (0, size[0], size[1], 0)
    axes.imshow(image, extent=extent)
    if layer.picture is not None:
        smooth = "nearest" if layer.picture.shape[2] == 4 else "bilinear"
        axes.imshow(layer.picture, extent=extent, alpha=layer.opacity, interpolation=smooth)
    letters = int(figure.get_figwidth() * 12)  # of a line
    # Without y, matplotlib looks for the title's place, which takes a third of all the time.
    axes.set_title(textwrap.fill(layer.title, letters), loc="left", y=1)

    entries = list(layer.entries[:_MOST_ENTRIES])
    if more := len(layer.entries) - len(entries):
        entries.append((f"and {more} more", (255, 255, 255)))
    legend = axes.legend(
        [Patch(color=np.array(colour) / 255) for _, colour in entries],
        [" "] * len(entries),  # a label that begins with "_" would be left out here
        title=textwrap.fill(layer.note, letters),
        ncols=max(1, letters // (6 + max((len(name) for name, _ in entries), default=0))),
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
    content = io.BytesIO()
    # bbox_inches="tight" finds the same, but draws all twice.
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer()).padded(0.1)
    figure.savefig(content, format=kind, bbox_inches=box)
    return content.getvalue()


def tile(drawn: Sequence[bytes], *, columns: int) -> Image.Image:
    """Lay pictures of `draw` out in rows, each at the top left of a place of one size."""
    pictures = [Image.open(io.BytesIO(content)) for content in drawn]
    size = max(p.width for p in pictures), max(p.height for p in pictures)
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * size[0], rows * size[1]), "white")
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        page.paste(picture, (column * size[0], row * size[1]))
    return page
