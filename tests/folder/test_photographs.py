"""Ids, splits, masks and identity of a folder of photographs."""

import numpy as np
import pytest
from photo_tree import TAGS, make_photos, write_csv, write_mask
from PIL import Image

from folder import Dataset
from misc.files.id_lists import read_list

SIZE = (24, 32)


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


def opened(photos, **options):
    options = {"labels": write_csv(photos.parent / "tags.csv")} | options
    return Dataset(photos, **options)


def many(tmp_path, number=100):
    tags = {f"{n:03}.png": ["x"] for n in range(number)}
    make_photos(tmp_path / "photos", tags)
    return {"labels": write_csv(tmp_path / "many.csv", tags)}


def test_ids_are_paths_without_ending_and_unique(photos):
    data = opened(photos)
    assert data.split("all") == [
        "field_day 2_cow",
        "field_one",
        "street_one",
        "street_two",
        "top",
    ]
    assert data.image("field_one").shape == (*SIZE, 3)
    assert data.image_path("field_day 2_cow") == photos / "field/day 2/cow.JPG"


def test_images_that_would_have_one_id_keep_their_ending_or_have_a_digest(tmp_path):
    clashing = ["a/b.jpg", "a_b.jpg", "A_B.png", "c.jpg", "c.jpg.png", "c.png", "d.jpg"]
    make_photos(tmp_path / "p", clashing)
    labels = write_csv(tmp_path / "t.csv", {path: ["x"] for path in clashing})
    data = Dataset(tmp_path / "p", labels=labels)
    ids = data.split("all")
    assert len({i.casefold() for i in ids}) == len(clashing)
    assert [i for i in ids if "-" not in i] == ["A_B.png", "c.jpg.png", "c.png", "d"]
    assert sorted(map(data.file_name, ids)) == sorted(clashing)


@pytest.mark.parametrize("name", ["#1", "a..b", "two\u2028lines", "x:y", "n" * 240])
def test_ids_are_those_that_lists_and_file_names_hold(tmp_path, name):
    make_photos(tmp_path / "p", [f"{name}.jpg"])
    data = Dataset(tmp_path / "p", labels=write_csv(tmp_path / "t.csv", {f'"{name}.jpg"': ["x"]}))
    (image_id,) = data.split("all")
    (tmp_path / "list.txt").write_text(image_id)
    assert read_list(tmp_path / "list.txt") == [image_id]
    assert data.split(str(tmp_path / "list.txt")) == [image_id]
    assert len(image_id.encode()) < 200


def test_a_share_is_split_off_by_seed(tmp_path):
    options = many(tmp_path)
    data = opened(tmp_path / "photos", **options)
    train, val = data.split("train"), data.split("val")
    assert (len(train), len(val)) == (90, 10)
    assert sorted(train + val) == data.split("all")
    assert opened(tmp_path / "photos", **options).split("val") == val
    assert opened(tmp_path / "photos", seed=1, **options).split("val") != val
    assert len(opened(tmp_path / "photos", val_share=0.25, **options).split("val")) == 25
    assert len(opened(tmp_path / "photos", limit=7, **options).split("train")) == 7


def test_more_images_move_few_between_the_splits(tmp_path):
    before = set(opened(tmp_path / "photos", **many(tmp_path)).split("val"))
    after = set(opened(tmp_path / "photos", **many(tmp_path, 110)).split("val"))
    assert len(before & after) >= 8


@pytest.mark.parametrize(("number", "counts"), [(1, (1, 1)), (2, (1, 1)), (3, (2, 1))])
def test_few_images_are_split_too(tmp_path, number, counts):
    data = opened(tmp_path / "photos", **many(tmp_path, number))
    assert (len(data.split("train")), len(data.split("val"))) == counts


def test_images_without_a_row_are_left_out_with_a_word(photos, caplog):
    caplog.set_level("INFO")
    labels = write_csv(photos.parent / "some.csv", {"top.bmp": ["x"], "street/one.jpg": []})
    data = opened(photos, labels=labels)
    assert data.split("all") == ["street_one", "top"]
    assert data.image_labels(["street_one", "top"]).tolist() == [[0], [1]]
    assert "3 of 5 images have no label and are left out, the first is field/day 2/cow.JPG" in (
        caplog.text
    )
    assert data.with_labels(["field_one", "top"]) == ["top"]
    with pytest.raises(FileNotFoundError, match="'field_one' has no image-level label"):
        data.image_labels(["field_one"])


def masked(photos):
    """Give a folder of masks: street/one both, field/one semantic, street/two instance alone."""
    masks = photos / "masks"  # within the photographs, of which it holds none
    semantic = np.zeros(SIZE, np.uint8)
    semantic[:8], semantic[8:12] = 1, 3
    objects = np.zeros(SIZE, np.uint8)
    objects[:4], objects[4:8], objects[8:12], objects[20:] = 1, 2, 7, 255
    write_mask(masks / "semantic/street/one.png", semantic)
    write_mask(masks / "semantic/field/one.png", np.full(SIZE, 255))
    write_mask(masks / "instance/street/one.png", objects)
    write_mask(masks / "instance/street/two.png", objects)
    write_mask(masks / "instance/field/day 2/cow.png", objects)
    return masks


def test_masks_are_the_truth_of_those_that_have_them(photos):
    data = opened(photos, masks=masked(photos))
    ids = data.split("all")
    assert len(ids) == len(TAGS)
    assert data.with_truth(ids, kinds=("semantic",)) == ["field_one", "street_one"]
    assert data.with_truth(ids, kinds=("instance",)) == ["street_one", "street_two"]
    assert data.with_truth(ids) == ["street_one"]
    assert np.unique(data.semantic_label("street_one")).tolist() == [0, 1, 3]
    masks, classes = data.instance_label("street_one")
    assert masks.sum(axis=(1, 2)).tolist() == [128, 128, 128]
    assert classes.tolist() == [0, 0, 2]
    # Its only class is that of all its objects.
    assert data.instance_label("street_two")[1].tolist() == [0, 0, 0]
    with pytest.raises(FileNotFoundError, match=r"cow.png: no such file; it says the class"):
        data.instance_label("field_day 2_cow")


def test_how_the_masks_fit_is_told_in_one_line(photos, caplog):
    caplog.set_level("INFO")
    data = opened(photos, masks=masked(photos))
    data.with_truth(data.split("all"))
    assert "masks: 4 of 5 images have one" in caplog.messages
    caplog.clear()
    write_mask(photos / "masks/semantic/street/on.png", np.zeros(SIZE))
    write_mask(photos / "masks/instance/street/one.tif", np.zeros(SIZE))
    (photos / "masks/semantic/.DS_Store").touch()
    (photos / "masks/semantic/notes.txt").touch()
    data = opened(photos, masks=photos / "masks")
    data.with_truth(data.split("all"))
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "masks: 4 of 5 images have one; 2 files belong to no image, the first is semantic/street/"
        "on.png"
    ]


@pytest.mark.parametrize("kind", ["semantic", "instance"])
def test_where_no_mask_fits_the_path_of_one_is_named(photos, tmp_path, caplog, kind):
    write_mask(tmp_path / "m" / kind / "cows.png", np.zeros(SIZE))
    data = opened(photos, masks=tmp_path / "m")
    assert data.with_truth(data.split("all")) == []
    (line,) = caplog.messages
    assert line == (
        f"masks: 0 of 5 images have one; 1 files belong to no image, the first is {kind}/cows.png;"
        f" that of field/day 2/cow.JPG is {tmp_path}/m/semantic/field/day 2/cow.png"
    )


def test_instance_masks_of_16_bits_number_more_objects(photos, tmp_path):
    objects = (np.arange(24 * 32, dtype=np.uint16).reshape(SIZE) // 2).astype(np.uint16)
    objects[23, 30:] = 65535
    path = tmp_path / "m/instance/street/two.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(objects).save(path)
    masks, classes = opened(photos, masks=tmp_path / "m").instance_label("street_two")
    assert len(masks) == 382  # the object 255 among them
    assert (masks.sum(axis=(1, 2)) == 2).all()
    assert (classes == 0).all()


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("semantic", "the number of a class: 1 for 'car', 2 for 'cow', 3 for 'person'"),
        ("instance", "the number of an object: 1 for the first, 2 for the second"),
    ],
)
def test_masks_of_white_on_black_are_refused(photos, tmp_path, kind, numbers):
    white = np.zeros(SIZE)
    white[4:9] = 255
    for path in ("street/one.png", "street/two.png", "top.png"):
        write_mask(tmp_path / "m" / kind / path, white)
    data = opened(photos, masks=tmp_path / "m")
    words = (
        "^--masks .*: masks hold only 0 and 255, which is ignored, the first is .*/one.png; write "
        f"in place of 255 {numbers}$"
    )
    with pytest.raises(ValueError, match=words):
        data.with_truth(["top"])
    write_mask(tmp_path / "m" / kind / "street/two.png", white // 255)
    assert opened(photos, masks=tmp_path / "m").with_truth(["top"]) == []


def test_links_to_folders_are_followed_once(photos, tmp_path):
    make_photos(tmp_path / "elsewhere", ["more/x.jpg", "y.jpg"])
    make_photos(tmp_path / "elsewhere", ["masks/semantic/street/one.png"])
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "alias").symlink_to(photos / "street")
    (photos / "street/loop").symlink_to(photos)
    (photos / "around").symlink_to(photos)
    (photos / "masks").symlink_to(tmp_path / "elsewhere/masks")
    tags = TAGS | {"linked/more/x.jpg": ["cow"], "linked/y.jpg": []}
    labels = write_csv(tmp_path / "all.csv", tags)
    data = opened(photos, labels=labels, masks=photos / "masks")
    assert sorted(map(data.file_name, data.split("all"))) == sorted(tags)
    assert data.with_truth(["street_one"], kinds=("semantic",)) == ["street_one"]
