"""A page of tables and pictures: an HTML file for any browser."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from misc.files.atomic import write_bytes

_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(path: Path, title: str, subtitle: str, sections: Mapping[str, str]) -> None:
    """Write the page with these sections: HTML by heading; empty ones are left out."""
    full = {heading: text for heading, text in sections.items() if text}
    links = [f'<a href="#{heading.lower()}">{heading}</a>' for heading in full if len(full) > 1]
    parts = [
        f'<section id="{heading.lower()}"><h2>{heading}</h2>{text}</section>'
        for heading, text in full.items()
    ]
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        links="\n".join(links),
        sections="\n".join(parts),
    )
    write_bytes(path, page.encode())


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format an HTML table, empty without rows; a **cell** is bold, as in Markdown."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{text(cell)}</{tag}>" for cell in cells) + "</tr>"

    def text(cell: str) -> str:
        return re.sub(r"^\*\*(.+)\*\*$", r"<b>\1</b>", escape(cell))

    body = "".join(line("td", row) for row in rows)
    return f"<table>{line('th', head)}{body}</table>" if rows else ""


def paragraph(words: str) -> str:
    """Format a paragraph, empty without words."""
    return f"<p>{escape(words)}</p>" if words else ""


def figures(charts: Mapping[str, bytes]) -> str:
    """Put each chart, an SVG, under its title."""
    return picture_row(figure(title, "svg+xml", chart) for title, chart in charts.items())


def figure(title: str, kind: str, content: bytes) -> str:
    """Put a picture of a kind, for example jpeg, under its title."""
    image = picture(embedded(kind, content), title)
    return f"<figure><figcaption>{escape(title)}</figcaption>{image}</figure>"


def picture_row(pictures: Iterable[str]) -> str:
    """Put pictures side by side, in as many rows as the window needs; empty without pictures."""
    row = "\n".join(pictures)
    return f'<div class="row">{row}</div>' if row else ""


def picture(address: str, name: str) -> str:
    """Format a picture by its address."""
    return f'<img src="{escape(address)}" alt="{escape(name)}" loading="lazy">'


def embedded(kind: str, content: bytes) -> str:
    """Return the address of a picture, for example a jpeg, that stands in the page itself."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
