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
from misc.files.palette import Entry, css_colour
from misc.view.pictures import Layer

LONGEST = 480  # of an embedded picture's sides, pixels
_TEMPLATE = Path(__file__).with_name("report_page.html")
_QUALITY = 80


def fill_page(
    title: str, subtitle: str, sections: Mapping[str, str], images: Sequence[Mapping[str, Any]]
) -> str:
    """Render the page.

    Args:
        title: of the page.
        subtitle: below it.
        sections: by heading their HTML; empty ones are left out. `Gallery` has the images.
        images: for each image `id`, `words`, `classes` (name, CSS colour), `size` (width, height),
            `photo` and `layers`, as `page_image` returns them.

    Returns:
        the whole page.
    """
    full = {heading: text for heading, text in sections.items() if text}
    places = {
        "title": escape(title),
        "subtitle": escape(subtitle),
        "links": " ".join(f'<a href="#{heading.lower()}">{heading}</a>' for heading in full),
        "sections": "".join(
            f'<section id="{heading.lower()}"><h2>{heading}</h2>{text}</section>'
            for heading, text in full.items()
        ),
        # "<" is escaped: "</script>" in a name would end the data.
        "data": json.dumps({"images": images}).replace("<", "\\u003c"),
    }
    template = _TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: places[place[1]], template)


def gallery(words: str) -> str:
    """Return the HTML of the section `Gallery`."""
    return (
        f'<p class="soft">{escape(words)} Click a picture to enlarge it; then <kbd>←</kbd> '
        "<kbd>→</kbd> step through its pictures, <kbd>↑</kbd> <kbd>↓</kbd> through the images, "
        "<kbd>Esc</kbd> closes.</p><noscript><p>The gallery needs JavaScript; everything else does "
        'not.</p></noscript><div id="images"></div>'
    )


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Format an HTML table, empty without rows; the columns `numbers` are right-aligned."""
    if not rows:
        return ""
    look = [' class="number"' if column in numbers else "" for column in range(len(head))]

    def line(tag: str, cells: Sequence[str]) -> str:
        pairs = zip(cells, look, strict=True)
        return "<tr>" + "".join(f"<{tag}{k}>{escape(c)}</{tag}>" for c, k in pairs) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    table = f"<table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"
    return f'<div class="card">{table}</div>'


def note(words: str) -> str:
    """Return a paragraph in a soft colour."""
    return f'<p class="soft">{escape(words)}</p>' if words else ""


def figures(charts: Mapping[str, bytes]) -> str:
    """Put each chart, an SVG, on a card under its title."""
    cards = "".join(
        f'<figure class="card"><figcaption>{escape(title)}</figcaption>'
        f'<img src="{_uri("svg+xml", chart)}" alt="{escape(title)}"></figure>'
        for title, chart in charts.items()
    )
    return f'<div class="row">{cards}</div>' if cards else ""


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


def page_image(
    name: str,
    image: np.ndarray,
    layers: Sequence[Layer],
    *,
    words: str = "",
    classes: Sequence[Entry] = (),
) -> dict[str, Any]:
    """Convert an image, uint8 (H, W, 3), and its overlays to the page's JSON."""
    return {
        "id": name,
        "words": words,
        "classes": _css(classes),
        "size": image.shape[1::-1],
        "photo": data_uri(image),
        "layers": [
            {
                "name": layer.title,
                "src": None if layer.picture is None else data_uri(layer.picture),
                "opacity": layer.opacity,
                "entries": _css(layer.entries),
                "note": layer.note,
            }
            for layer in (Layer(title="image"), *layers)
        ],
    }


def _css(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    return [(name, css_colour(colour)) for name, colour in entries]


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
