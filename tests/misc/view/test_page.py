import re

import numpy as np
import pytest
from browser import drive, needs_chromium

from misc.files.palette import voc_palette
from misc.view.layers import Layer, field_layers, heat_colours, label_colours
from misc.view.page import fill_page, gallery, page_image

SECTIONS = ("Measures", "Gallery", "Settings", "Thresholds", "Training", "Classes")
PARTS = {name: gallery("Some.") if name == "Gallery" else f"[{name}]" for name in SECTIONS}


def photograph(size, rng):
    """Make what a JPEG of a photograph is in size: soft shapes and some noise."""
    coarse = rng.integers(0, 255, (size[0] // 12 + 1, size[1] // 12 + 1, 3))
    large = np.kron(coarse, np.ones((12, 12, 1)))[: size[0], : size[1]]
    return (large + rng.normal(0, 6, large.shape)).clip(0, 255).astype(np.uint8)


def gallery_of(count, size=(375, 500)):
    """Make a gallery like a run's, of images of VOC's size with ten layers each."""
    rng = np.random.default_rng(0)
    images = []
    for number in range(count):
        photo = photograph(size, rng)
        label = (photo[..., 0] // 90).astype(np.uint8)
        stride4 = photo[::4, ::4] / 255
        field = 60 * (stride4[..., :2].transpose(2, 0, 1) - 0.5)
        layers = [Layer(title="CAM: cat", picture=heat_colours(photo[..., 0] / 255), opacity=0.6)]
        layers *= 1 + number % 2
        layers += field_layers(stride4[..., 2], field, small_displacement=1)
        colours = label_colours(label, voc_palette())
        entries = [("cat", (64, 0, 0))]
        layers += [
            Layer(title=f"label {n}", picture=colours, opacity=0.6, entries=entries)
            for n in range(4)
        ]
        words = "</script> & <b>"
        images.append(page_image(f"image_{number}", photo, layers, words=words, classes=entries))
    return images


@pytest.fixture(scope="module")
def page():
    return fill_page("A title", "below it", PARTS, gallery_of(24)).decode()


def test_a_page_of_24_images_of_vocs_size_is_below_10_mb(page):
    assert 1e6 < len(page) < 10e6


def test_the_page_names_nothing_outside_itself(page):
    links = re.findall(r'(?:src|href)\s*=\s*["\']([^"\']*)', page) + re.findall(
        r"url\(([^)]*)", page
    )
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "https://" not in page
    assert "@import" not in page


STEPS = """
const tiles = () => document.querySelectorAll(".tile");
const title = () => document.getElementById("viewer-title").textContent;
const viewer = document.getElementById("viewer"), blend = document.getElementById("blend");
const over = () => document.querySelector("#stage img:nth-child(2)");
const seen = { tiles: tiles().length, articles: document.querySelectorAll("article").length };
seen.closed = !viewer.open;
tiles()[1].click();
seen.clicked = [viewer.open, title()];
press("ArrowRight"); seen.right = title();
press("ArrowLeft"); press("ArrowLeft"); seen.left = title();
seen.blend_hidden = document.getElementById("blending").style.visibility;
press("ArrowLeft"); seen.around = title();
press("ArrowDown"); seen.down = title();
press("ArrowUp"); press("ArrowUp"); seen.up = title();
seen.opacity = over().style.opacity;
blend.value = 25; blend.oninput(); seen.blended = over().style.opacity;
document.getElementById("previous").click(); seen.kept = over().style.opacity;
seen.legend = document.getElementById("legend").textContent;
blend.focus(); const before = title();
press("ArrowLeft"); seen.slider_keeps_keys = title() === before;
document.getElementById("close").click();
seen.closed_again = !viewer.open;
press("ArrowRight"); seen.still = title() === before;
seen.ground = getComputedStyle(document.body).backgroundColor;
return seen;
"""


@needs_chromium
def test_the_gallery_opens_steps_and_blends_without_an_error(page, tmp_path):
    outcome = drive(page, STEPS, tmp_path)
    assert outcome["errors"] == []
    assert outcome["asked"] == []
    found = outcome["found"]
    assert (found["articles"], found["tiles"]) == (24, 24 * 9 + 12)
    assert found["closed"]
    assert found["clicked"] == [True, "image_0 · CAM: cat (2 of 9)"]
    assert found["right"] == "image_0 · boundary (3 of 9)"
    assert found["left"] == "image_0 · image (1 of 9)"
    assert found["blend_hidden"] == "hidden"
    assert found["around"] == "image_0 · label 3 (9 of 9)"
    assert found["down"] == "image_1 · label 3 (10 of 10)"
    assert found["up"] == "image_23 · label 3 (10 of 10)"
    assert (found["opacity"], found["blended"], found["kept"]) == ("0.6", "0.25", "0.25")
    assert found["legend"] == "cat"
    assert found["slider_keeps_keys"]
    assert found["closed_again"]
    assert found["still"]
    assert found["ground"] == "rgb(243, 244, 247)"
