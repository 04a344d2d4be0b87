import re

from misc.view.page import fill_page, html_table

ODD = "</h2> & <b> $title"


def test_a_page_links_to_its_sections_and_names_nothing_outside_itself():
    table = html_table([ODD], [[ODD]])
    page = fill_page(ODD, ODD, {"One": table, "Empty": "", "Two": "text"}).decode()
    assert re.findall(r'(?:src|href)="([^"]*)', page) == ["data:,", "#one", "#two"]
    assert re.findall(r'<section id="(\w+)">', page) == ["one", "two"]
    assert page.count("&lt;/h2&gt; &amp; &lt;b&gt; $title") == 5
