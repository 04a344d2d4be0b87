import re

from misc.view.page import html_table, write_page

ODD = "</h2> & <b> $title"


def test_a_page_links_to_its_sections_and_names_nothing_outside_itself(tmp_path):
    table = html_table([ODD], [[ODD]])
    write_page(tmp_path / "page.html", ODD, ODD, {"One": table, "Empty": "", "Two": "text"})
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"]*)', page) == ["data:,", "#one", "#two"]
    assert re.findall(r'<section id="(\w+)">', page) == ["one", "two"]
    assert page.count("&lt;/h2&gt; &amp; &lt;b&gt; $title") == 5
