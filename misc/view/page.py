"""A page of tables, charts and a gallery: one self-contained HTML file."""

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
from misc.view.layers import Layer

LONGEST = 480  # of an embedded picture's sides, pixels
_TEMPLATE = Path(__file__).with_name("page.html")


def fill_page(
    title: str, subtitle: str, sections: Mapping[str, str], images: Sequence[Mapping[str, Any]]
) -> bytes:
    """Return the page: HTML by heading, empty ones left out; `Gallery` shows the images.

    Each of the images is what `page_image` returns.
    """
    full = {heading: text for heading, text in sections.items() if text}
    places = {
        "title": escape(title),
        "subtitle": escape(subtitle),
        "links": " ".join(
            f'<a href="#{heading.lower()}">{heading}</a>' for heading in full if len(full) > 1
        ),
        "sections": "".join(
            f'<section id="{heading.lower()}"><h2>{heading}</h2>{text}</section>'
            for heading, text in full.items()
        ),
        # "<" is escaped: "</script>" in a name would end the data.
        "data": json.dumps({"images": images}).replace("<", "\\u003c"),
    }
    template = _TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: places[place[1]], template).encode()


def gallery(words: str) -> str:
    """Return the HTML of the section `Gallery`."""
    return (
        f'<p class="soft">{escape(words)} Click a picture to enlarge it; then <kbd>←</kbd> '
        "<kbd>→</kbd> step through its pictures, <kbd>↑</kbd> <kbd>↓</kbd> through the images, "
        "<kbd>Esc</kbd> closes.</p><noscript><p>The gallery needs JavaScript; everything else does "
        'not.</p></noscript><div id="images"></div>'
    )


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format an HTML table, empty without rows."""
    if not rows:
        return ""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

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
    is_clear = picture.shape[2] == 4
    image = Image.fromarray(picture)
    resampling = Image.Resampling.NEAREST if is_clear else Image.Resampling.LANCZOS
    image.thumbnail((LONGEST, LONGEST), resampling)
    small = np.asarray(image)
    if is_clear:
        return _uri("png", encode_png(small))
    return _uri("jpeg", encode_jpeg(small, quality=80))


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
