"""The report page: one self-contained HTML file, with no external resources."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from misc.files.images import encode_jpeg, encode_png
from misc.files.palette import css_colour
from misc.looking.panel import Layer
from misc.looking.pictures import colour_wheel, heat_colours

LONGEST = 480  # of an embedded picture's sides, pixels
_TEMPLATE = Path(__file__).with_name("report_page.html")
_QUALITY = 80


def fill_page(
    parts: Mapping[str, str], images: Sequence[Mapping[str, Any]], *, only: str = ""
) -> str:
    """Render the page.

    Args:
        parts: HTML for each {{placeholder}} of report_page.html but `data`.
        images: the gallery: for each image `id`, `words`, `classes` (name, CSS colour), `size`
            (width, height), `photo` and `layers`, each with `name`, `src` (none for the image
            itself), `clear`, `opacity`, `entries`, `note` and `scale`.
        only: the id of the one section that the page has, without the table of all; empty: all.

    Returns:
        the whole page.

    Raises:
        KeyError: a placeholder is not filled, or a part has none.
    """
    bar = heat_colours(np.linspace(0, 1, 120)[None].repeat(12, axis=0))
    data = {"images": images, "wheel": data_uri(colour_wheel(120)), "heat": data_uri(bar)}
    # "<" is escaped: "</script>" in a name would end the data.
    places = {**parts, "data": json.dumps(data).replace("<", "\\u003c")}
    template = _TEMPLATE.read_text(encoding="utf-8")
    if only:
        other = rf'<section id="(?!{only}").*?</section>|<nav.*?</nav>'
        template = re.sub(other, "", template, flags=re.DOTALL)
    head, *pieces = template.split("{{")
    page, filled = [head], set()
    for piece in pieces:
        name, rest = piece.split("}}", 1)
        page += [places[name], rest]
        filled.add(name)
    if unknown := set(places) - filled:
        raise KeyError(f"the page has no placeholder for {sorted(unknown)}")
    return "".join(page)


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Format an HTML table; the columns `numbers` are right-aligned."""
    look = [' class="number"' if column in numbers else "" for column in range(len(head))]

    def line(tag: str, cells: Sequence[str]) -> str:
        pairs = zip(cells, look, strict=True)
        return "<tr>" + "".join(f"<{tag}{k}>{escape(c)}</{tag}>" for c, k in pairs) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"


def cards(charts: Sequence[str], otherwise: str) -> str:
    """Put each chart on a card; the text `otherwise` where there is none."""
    if not charts:
        return f'<p class="card">{escape(otherwise)}</p>'
    return "".join(f'<figure class="card" style="margin:0">{chart}</figure>' for chart in charts)


def data_uri(picture: np.ndarray) -> str:
    """Embed a picture, at most LONGEST pixels long: (h, w, 3) as JPEG, (h, w, 4) as PNG."""
    height, width = picture.shape[:2]
    share = LONGEST / max(height, width)
    if share < 1:
        size = max(1, round(width * share)), max(1, round(height * share))
        clear = picture.shape[2] == 4
        method = Image.Resampling.NEAREST if clear else Image.Resampling.LANCZOS
        picture = np.asarray(Image.fromarray(picture).resize(size, method))
    if picture.shape[2] == 4:
        return _uri("png", encode_png(picture))
    return _uri("jpeg", encode_jpeg(picture, quality=_QUALITY))


def page_layer(layer: Layer | None) -> dict[str, Any]:
    """Convert an overlay to the page's JSON; None is the image itself."""
    if layer is None:
        return {"name": "image", "src": None, "opacity": 1, "entries": [], "note": "", "scale": ""}
    return {
        "name": layer.title,
        "src": data_uri(layer.picture),
        "clear": layer.picture.shape[2] == 4,
        "opacity": layer.opacity,
        "entries": [(name, css_colour(colour)) for name, colour in layer.entries],
        "note": layer.note,
        "scale": layer.scale,
    }


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
