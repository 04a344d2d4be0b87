"""Masks as tools write them are the ground truth of a folder, or refused in one line."""

import json

import numpy as np
import pytest
from photo_tree import make_photos, write_csv, write_mask
from PIL import Image

from folder import Dataset
from misc.files.palette import voc_palette

TAGS = {"a.jpg": ["cat"], "deep/b.jpg": ["cat", "dog"], "c.jpg": []}
SIZE = (24, 32)
# Of cat and dog, 255 to be ignored.
LABELS = {path: np.zeros(SIZE, np.uint8) for path in TAGS}
LABELS["a.jpg"][:8, :8] = 1
LABELS["deep/b.jpg"][:8] = 2
LABELS["deep/b.jpg"][8:12, 4:9] = 1
COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[:3] = (9, 9, 9), (250, 0, 0), (0, 128, 7)
LABELMAP = "# label:color_rgb:parts:actions\nbackground:9,9,9::\ndog:0,128,7::\ncat:250,0,0::\n"


@pytest.fixture
def photos(tmp_path):
    write_csv(tmp_path / "tags.csv", TAGS)
    return make_photos(tmp_path / "photos", TAGS)


def opened(photos, masks, **options):
    return Dataset(photos, labels=photos.parent / "tags.csv", masks=masks, **options)


def write_all(folder, name, picture):
    """Write a mask for each image: `name` has its stem for {}, `picture` takes the label."""
    for path, label in LABELS.items():
        file = folder / name.format(path.removesuffix(".jpg"))
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(label).save(file)
    return folder


def grey(label):
    return Image.fromarray(label)


def coloured(palette):
    return lambda label: Image.fromarray(palette[label])


def indexed(order):
    """Give palette images whose numbers are others, but whose colours are those of COLOURS."""

    def picture(label):
        image = Image.fromarray(np.argsort(order).astype(np.uint8)[label])
        image.putpalette(COLOURS[order].tobytes())
        return image

    return picture


def same_labels(data):
    for path, label in LABELS.items():
        assert np.array_equal(data.semantic_label(path.replace("/", "_")[:-4]), label), path


@pytest.mark.parametrize(
    "name",
    ["semantic/{}.png", "{}.png", "SegmentationClass/{}.png", "{}_mask.png", "{} labels.PNG"],
)
def test_masks_are_found_by_the_names_of_their_images(photos, tmp_path, caplog, name):
    caplog.set_level("INFO")
    same_labels(opened(photos, write_all(tmp_path / "m", name, grey)))
    assert "masks: 3 of 3 images have one" in caplog.text
    assert (", for example a" in caplog.text) == ("mask" in name or "label" in name)


def test_masks_lie_flat_where_names_are_the_only_ones(photos, tmp_path):
    write_all(tmp_path / "m", "{}_mask.png", grey)
    (tmp_path / "m/deep/b_mask.png").rename(tmp_path / "m/b_mask.png")
    same_labels(opened(photos, tmp_path / "m"))


KEYS = {
    "labelmap.txt": LABELMAP,
    "class_dict.csv": "name,r,g,b\nbackground,9,9,9\ncat,250,0,0\ndog,0,128,7\n",
    "colours.json": json.dumps({"background": [9, 9, 9], "cat": [250, 0, 0], "dog": "#008007"}),
    "meta.json": json.dumps(
        {
            "classes": [
                {"title": "cat", "color": "#FA0000"},
                {"title": "dog", "color": "#008007"},
                {"title": "bg", "color": "#090909"},
            ]
        }
    ),
}


@pytest.mark.parametrize(
    ("key", "place"), list(zip(KEYS, ["m", "m/semantic", ".", "m"], strict=True))
)
@pytest.mark.parametrize("picture", [coloured(COLOURS), indexed([0, 2, 1, *range(3, 256)])])
def test_colours_are_classes_by_the_file_beside_them(photos, tmp_path, key, picture, place):
    masks = write_all(tmp_path / "m", "semantic/{}.png", picture)
    (tmp_path / place / key).write_text(KEYS[key])
    same_labels(opened(photos, masks))


def test_numbers_are_classes_by_the_file_beside_them(photos, tmp_path):
    masks = write_all(tmp_path / "m", "{}_mask.png", lambda label: grey(7 * label))
    (masks / "_classes.csv").write_text("Pixel Value, Class\n0, background\n7, cat\n14, dog\n")
    same_labels(opened(photos, masks))


@pytest.mark.parametrize("palette", [voc_palette(), np.arange(256)[:, None].repeat(3, axis=1)])
def test_without_such_a_file_colours_are_those_of_voc_or_numbers(photos, tmp_path, palette):
    same_labels(opened(photos, write_all(tmp_path / "m", "{}.png", coloured(np.uint8(palette)))))


def test_a_table_of_0_and_1_beside_the_masks_is_no_key(photos, tmp_path):
    masks = write_all(tmp_path / "m", "{}.png", grey)
    (masks / "_classes.csv").write_text("filename,x,y,z\na.jpg,0,0,1\nb.jpg,0,1,0\n")
    same_labels(opened(photos, masks))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", r"a.png: the colour \(9, 9, 9\) is none of VOC's for 2 classes; a file labelmap.txt"),
        ("background:9,9,9::\ndog:0,128,7::", r"the colour \(250, 0, 0\) is not in .*labelmap.txt"),
        (
            LABELMAP.replace("cat", "cow"),
            r"\(250, 0, 0\) is 'cow' by .*labelmap.txt, which is no cl",
        ),
    ],
)
def test_colours_that_are_not_certain_are_refused(photos, tmp_path, key, words):
    masks = write_all(tmp_path / "m", "{}.png", coloured(COLOURS))
    (masks / "labelmap.txt").write_text(key)
    with pytest.raises(ValueError, match=words):
        opened(photos, masks).semantic_label("a")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_white_on_black_is_the_only_class(photos, tmp_path, mode):
    write_csv(tmp_path / "tags.csv", {path: ["cat"] if c else [] for path, c in TAGS.items()})
    masks = write_all(tmp_path / "m", "{}.png", lambda x: grey(255 * (x > 0).astype(np.uint8)))
    for path in masks.rglob("*.png"):
        Image.open(path).convert(mode).save(path)
    label = opened(photos, masks).semantic_label("a")
    assert np.array_equal(label, LABELS["a.jpg"])


def smooth(image):
    small = image.convert("RGB" if image.mode == "RGB" else "L").resize((8, 6), 0)
    return small.resize(SIZE[::-1], Image.Resampling.BILINEAR)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (
            lambda x: smooth(grey(100 * x)),
            r"has the value \d+; .* \d values or colours for 2 classes",
        ),
        (
            lambda x: smooth(coloured(voc_palette())(x)),
            "is none of VOC's .* was the mask resized smoothly",
        ),
    ],
)
def test_masks_that_were_resized_smoothly_are_refused(photos, tmp_path, picture, words):
    write_csv(tmp_path / "tags.csv", {**TAGS, "deep/b.jpg": ["dog"], "a.jpg": ["cat"]})
    masks = write_all(tmp_path / "m", "{}.png", lambda label: picture(np.uint8(2 * (label == 2))))
    with pytest.raises(ValueError, match=words):
        opened(photos, masks).semantic_label("deep_b")


def test_an_object_that_was_resized_smoothly_is_refused(photos, tmp_path):
    white = grey(255 * (LABELS["a.jpg"] > 0).astype(np.uint8))
    (tmp_path / "m").mkdir()
    smooth(white).save(tmp_path / "m/a_0.png")
    with pytest.raises(ValueError, match=r"a_0.png: has \d+ colours beside black, where a mask of"):
        opened(photos, tmp_path / "m").instance_label("a")


def test_white_around_the_objects_is_told(photos, tmp_path, caplog):
    write_csv(tmp_path / "tags.csv", {path: ["cat"] for path in TAGS})
    masks = write_all(tmp_path / "m", "{}.png", lambda x: grey(255 * (x == 0).astype(np.uint8)))
    opened(photos, masks).semantic_label("c")
    assert "border is white, and read as cat; if white is the background, invert" in caplog.text


@pytest.mark.parametrize("white", [1, 255])
@pytest.mark.parametrize("place", [".", "instance"])
def test_a_png_for_each_object(photos, tmp_path, white, place):
    masks = tmp_path / "m"
    write_all(masks, "semantic/{}.png" if place == "instance" else "{}.png", grey)
    first, second = np.zeros(SIZE), np.zeros(SIZE)
    first[:8, :20], second[6:12, 4:9] = white, white
    for number, mask in enumerate((first, second)):
        write_mask(masks / place / f"deep/b_{number}.png", mask)
    data = opened(photos, masks)
    assert data.with_truth(data.split("all"), kinds=("instance",)) == ["deep_b"]
    found, classes = data.instance_label("deep_b")
    assert np.array_equal(found, np.stack([first, second]) > 0)
    assert classes.tolist() == [1, 0]


def test_a_colour_for_each_object(photos, tmp_path):
    write_all(tmp_path / "m", "SegmentationClass/{}.png", coloured(voc_palette()))
    objects = np.zeros((*SIZE, 3), np.uint8)
    objects[:8, :9], objects[:8, 9:], objects[8:12, 4:9] = (1, 2, 3), (1, 2, 4), (90, 0, 0)
    objects[0] = voc_palette()[255]
    (tmp_path / "m/SegmentationObject/deep").mkdir(parents=True)
    Image.fromarray(objects).save(tmp_path / "m/SegmentationObject/deep/b.png")
    found, classes = opened(photos, tmp_path / "m").instance_label("deep_b")
    assert found.sum(axis=(1, 2)).tolist() == [63, 161, 20]
    assert classes.tolist() == [1, 1, 0]


def coco(*annotations):
    return {
        "images": [{"id": n, "file_name": path} for n, path in enumerate(TAGS)],
        "categories": [{"id": 4, "name": "dog"}, {"id": 9, "name": "cat"}, {"id": 1, "name": "x"}],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "iscrowd": crowd, **shape}
            for n, (image, category, crowd, shape) in enumerate(annotations)
        ],
    }


def box(left, top, right, bottom):
    return {"segmentation": [[left, top, right, top, right, bottom, left, bottom]]}


def test_a_coco_json_has_the_masks(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    crowd = {"segmentation": {"size": list(SIZE), "counts": [0, 24, 24 * 31]}}
    shapes = [(0, 9, 0, box(0, 0, 8, 8)), (1, 4, 0, box(0, 0, 32, 8)), (1, 9, 0, box(4, 8, 9, 12))]
    (tmp_path / "t.json").write_text(json.dumps(coco(*shapes, (1, 4, 1, crowd))))
    data = opened(photos, tmp_path / "t.json")
    assert "masks: 3 of 3 images have some in" in caplog.text or data.with_truth(["a"]) == ["a"]
    assert np.array_equal(data.semantic_label("a"), LABELS["a.jpg"])
    assert not data.semantic_label("c").any()
    expected = LABELS["deep/b.jpg"].copy()
    expected[:, 0][expected[:, 0] == 0] = 255
    assert np.array_equal(data.semantic_label("deep_b"), expected)
    masks, classes = data.instance_label("deep_b")
    assert masks.sum(axis=(1, 2)).tolist() == [256, 20]
    assert classes.tolist() == [1, 0]
    regions, classes = data.ignored_regions("deep_b")
    assert regions.sum() == 24
    assert classes.tolist() == [1]


def test_masks_of_another_image_of_the_name_do_not_count(photos, tmp_path):
    content = coco((0, 9, 0, box(0, 0, 8, 8)), (3, 9, 0, box(0, 0, 9, 9)))
    content["images"].append({"id": 3, "file_name": "other/a.jpg"})
    (tmp_path / "t.json").write_text(json.dumps(content))
    label = opened(photos, tmp_path / "t.json").semantic_label("a")
    assert np.array_equal(label, LABELS["a.jpg"])


def test_masks_among_the_photographs_are_told(tmp_path, caplog):
    make_photos(tmp_path / "p", ["cat/1.jpg", "cat/1_mask.png", "cat/2.jpg"])
    assert len(Dataset(tmp_path / "p").split("all")) == 3
    (line,) = (line for line in caplog.messages if "mask" in line)
    assert "1 photographs are called like the masks of others, for example cat/1_mask.png;" in line


def test_masks_of_an_image_of_another_size_are_refused(photos, tmp_path):
    content = coco((0, 9, 0, box(0, 0, 8, 8)))
    content["images"][0] |= {"height": SIZE[1], "width": SIZE[0]}
    (tmp_path / "t.json").write_text(json.dumps(content))
    words = r"t.json: the mask of a.jpg is \(32, 24\) pixels, its image is \(24, 32\)$"
    with pytest.raises(ValueError, match=words):
        opened(photos, tmp_path / "t.json").semantic_label("a")


def test_boxes_alone_are_no_masks_and_a_strange_category_is_refused(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    boxes = coco((0, 9, 0, {"bbox": [0, 0, 8, 8], "segmentation": []}), (1, 4, 0, box(0, 0, 9, 9)))
    (tmp_path / "t.json").write_text(json.dumps(boxes))
    data = opened(photos, tmp_path / "t.json")
    assert data.with_truth(data.split("all")) == ["c", "deep_b"]
    assert "masks: 2 of 3 images have some in" in caplog.text
    assert "; 1 have boxes without masks" in caplog.text
    (tmp_path / "t.json").write_text(json.dumps(coco((1, 1, 0, box(0, 0, 9, 9)))))
    with pytest.raises(ValueError, match=r"--masks .*t.json: the category 'x' is no class"):
        opened(photos, tmp_path / "t.json").with_truth(["a"])


def test_two_masks_of_an_image_are_refused(tmp_path):
    make_photos(tmp_path / "p", ["cat/1.jpg"])
    for folder in ("masks", "overlays"):
        write_mask(tmp_path / "m" / folder / "1.png", np.ones((24, 32)))
    with pytest.raises(ValueError, match=r"are both masks of cat/1\.jpg"):
        Dataset(tmp_path / "p", masks=tmp_path / "m").with_truth(["cat_1"], kinds=("semantic",))


def test_a_grey_that_is_also_a_colour_of_voc_is_a_number(tmp_path):
    make_photos(tmp_path / "p", [f"{name}/1.jpg" for name in "abcdefgh"])
    write_mask(tmp_path / "m/a/1.png", np.full((24, 32), 128))
    with pytest.raises(ValueError, match="128"):
        Dataset(tmp_path / "p", masks=tmp_path / "m").semantic_label("a_1")


def test_transparent_pixels_of_a_mask_are_background(tmp_path):
    make_photos(tmp_path / "p", ["cat/1.jpg"])
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[..., 0] = 128  # VOC's first colour
    pixels[:12, :, 3] = 255
    (tmp_path / "m").mkdir()
    Image.fromarray(pixels).save(tmp_path / "m/1.png")
    label = Dataset(tmp_path / "p", masks=tmp_path / "m").semantic_label("cat_1")
    assert (label[:12] == 1).all()
    assert (label[12:] == 0).all()
