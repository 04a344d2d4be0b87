import json

import numpy as np
import pytest
from PIL import Image

from coco import Dataset
from coco.categories import CATEGORY_IDS, CLASS_OF
from coco.dataset import EXPECTED_COUNTS
from misc.files.images import write_label
from tests.coco_shaped import (
    BARE,
    COUNTS,
    ids_of,
    instances,
    make_coco,
    official,
    write_json,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_coco(tmp_path_factory.mktemp("coco"))


@pytest.fixture
def own(tmp_path):
    """Give a COCO that a test may spoil."""
    return make_coco(tmp_path / "coco")


def open_coco(root, **options):
    return Dataset(root, **{"year": 2017, **options})


def truths(known, image_id):
    """Return an image's annotations and masks as pycocotools gives them."""
    found = known.loadAnns(known.getAnnIds(imgIds=[int(image_id.split("_")[-1])]))
    found = sorted(found, key=known.dataset["annotations"].index)
    return found, [known.annToMask(annotation).astype(bool) for annotation in found]


def painted(known, image_id, *, small_first=False, ignore=False):
    """Return the semantic truth, written down from the rule."""
    found, masks = truths(known, image_id)
    size = known.imgs[int(image_id.split("_")[-1])]
    label = np.zeros((size["height"], size["width"]), np.uint8)
    pairs = list(zip(found, masks, strict=True))
    if ignore:
        for annotation, mask in pairs:
            if annotation["iscrowd"]:
                label[mask] = 255
    if small_first:
        pairs = sorted(pairs, key=lambda pair: -pair[1].sum())
    for annotation, mask in pairs:
        if not annotation["iscrowd"]:
            label[mask] = CATEGORY_IDS.tolist().index(annotation["category_id"]) + 1
    return label


def test_the_classes_are_the_80_used_ids_in_rising_order():
    assert len(CATEGORY_IDS) == len(Dataset.class_names) == 80
    known = {1: "person", 11: "fire hydrant", 13: "stop sign", 72: "tv", 90: "toothbrush"}
    for category, name in known.items():
        assert Dataset.class_names[CLASS_OF[category]] == name
    assert (CLASS_OF[[0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91, 255]] == -1).all()


@pytest.mark.parametrize(
    ("layout", "year"),
    [("{}", 2014), ("{}", 2017), ("images/{}", 2017), ("JPEGImages", 2014)],
)
def test_every_layout_is_read(tmp_path, layout, year):
    root = make_coco(tmp_path, year=year, layout=layout)
    dataset = Dataset(root, year=year)
    for split in COUNTS:
        ids = ids_of(split, year)
        assert dataset.split(split) == dataset.split(f"{split}{year}") == ids
        assert Dataset(root, year=year, limit=2).split(split) == ids[:2]
        assert all(dataset.image(image_id).shape[2] == 3 for image_id in ids)


@pytest.mark.parametrize("year", [2014, 2017])
def test_images_are_found_with_and_without_the_prefix(tmp_path, year):
    root = make_coco(tmp_path, year=year, layout="JPEGImages")
    for path in (root / "JPEGImages").iterdir():
        stem = path.name.removeprefix(f"COCO_train{year}_").removeprefix(f"COCO_val{year}_")
        split = "train" if int(stem[:12]) < 100 else "val"
        path.rename(path.with_name(stem if year == 2014 else f"COCO_{split}2017_{stem}"))
    dataset = Dataset(root, year=year)
    assert dataset.split("train") == ids_of("train", year)
    assert dataset.image(ids_of("val", year)[0]).ndim == 3


def test_image_level_labels_are_the_classes_of_the_annotations(root):
    ids = ids_of("train")
    known = official(root / "annotations/instances_train2017.json")
    rows = open_coco(root).image_labels(ids)
    assert rows.dtype == np.float32
    for image_id, row in zip(ids, rows, strict=True):
        there = {a["category_id"] for a in truths(known, image_id)[0]}
        assert CATEGORY_IDS[np.flatnonzero(row)].tolist() == sorted(there)
    assert not rows[BARE].any()


@pytest.mark.parametrize("truth", ["json_order", "small_first"])
@pytest.mark.parametrize("crowd", ["background", "ignore"])
def test_the_semantic_truth_follows_each_rule(root, truth, crowd):
    dataset = open_coco(root, truth=truth, crowd=crowd)
    known = official(root / "annotations/instances_train2017.json")
    rules = {"small_first": truth == "small_first", "ignore": crowd == "ignore"}
    for image_id in ids_of("train"):
        label = dataset.semantic_label(image_id)
        assert label.dtype == np.uint8
        assert (label == painted(known, image_id, **rules)).all()


def test_instances_are_pycocotools_masks_and_crowds_are_ignored_regions(root):
    dataset = open_coco(root)
    known = official(root / "annotations/instances_train2017.json")
    for image_id in ids_of("train"):
        found, masks = truths(known, image_id)
        for reader, crowd in ((dataset.instance_label, 0), (dataset.ignored_regions, 1)):
            mine, classes = reader(image_id)
            wanted = [n for n, a in enumerate(found) if a["iscrowd"] == crowd]
            assert CATEGORY_IDS[classes].tolist() == [found[n]["category_id"] for n in wanted]
            assert mine.dtype == bool
            assert mine.shape[1:] == dataset.image(image_id).shape[:2]
            assert all((mask == masks[n]).all() for mask, n in zip(mine, wanted, strict=True))


@pytest.mark.parametrize("inside", ["", "train2017"])
@pytest.mark.parametrize("raw", [False, True])
def test_ready_made_masks_of_both_numberings_are_read(root, tmp_path, raw, inside):
    table = np.arange(256, dtype=np.uint8)
    if raw:
        table[1:81] = CATEGORY_IDS
    plain = open_coco(root)
    for image_id in ids_of("train"):
        write_label(tmp_path / inside / f"{image_id}.png", table[plain.semantic_label(image_id)])
    dataset = open_coco(root, mask_dir=tmp_path)
    for image_id in ids_of("train"):
        assert (dataset.semantic_label(image_id) == plain.semantic_label(image_id)).all()
    listed = [*ids_of("train"), *ids_of("val")]
    assert dataset.with_truth(listed, kinds=["semantic"]) == ids_of("train")
    assert dataset.with_truth(listed, kinds=["instance"]) == listed


def test_its_identity_is_that_of_images_and_labels_wherever_they_lie(own, tmp_path):
    before = open_coco(own).identify()
    assert before.startswith("coco17, 8 images, 80 classes, digest ")
    own.rename(tmp_path / "moved")
    own = tmp_path / "moved"
    path = own / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content, indent=1))
    assert open_coco(own).identify() == before
    assert open_coco(own, crowd_labels=False).identify() != before
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] != 90]
    path.write_text(json.dumps(content))
    assert open_coco(own).identify() != before


def test_what_shapes_the_truth_is_in_the_identity_of_images_that_learn_from_it(own, tmp_path):
    ids = ids_of("train")

    def known(kind, **options):
        return open_coco(own, **options).identify(ids, truth=kind)

    plain = open_coco(own).identify(ids)
    rules = [{}, {"truth": "small_first"}, {"crowd": "ignore"}]
    assert len({known("semantic", **rule) for rule in rules} | {plain}) == 4
    (instances_alone,) = {known("instance", **rule) for rule in rules}
    assert instances_alone.startswith(plain)
    found = set()
    for size in (1, 2):
        masks = tmp_path / f"masks{size}"
        masks.mkdir()
        (masks / f"{ids[0]}.png").write_bytes(b"x" * size)
        found.add(known("semantic", mask_dir=masks))
    assert len(found | {known("semantic"), plain}) == 4
    masks.rename(tmp_path / "moved")
    assert known("semantic", mask_dir=tmp_path / "moved") in found


def test_published_figures_stand_beside_cocos_own_splits_alone(root, monkeypatch):
    assert open_coco(root).published("eval_mask_rcnn", "val") == {}
    monkeypatch.setitem(EXPECTED_COUNTS, "val2017", 2)
    assert open_coco(root).published("eval_mask_rcnn", "val")["COCO AP"] == 0.143
    assert open_coco(root).published("eval_mask_rcnn", "train") == {}


def spoilt(change):
    content = instances("train")
    change(content)
    return json.dumps(content)


CRACKS = [{"id": n, "name": name} for n, name in enumerate(("crack", "rust", "moss"), 1)]

BROKEN = {
    "other classes": (
        lambda: spoilt(lambda c: c.update(categories=CRACKS)),
        "category 1 is 'crack', COCO's is 'person'; a data set of other classes is read with "
        "--dataset folder --labels FILE",
    ),
    "a nameless category": (
        lambda: spoilt(lambda c: c["categories"][3].pop("name")),
        "byte [0-9]+, one of its categories: no instances JSON",
    ),
    "no annotations": (
        lambda: spoilt(lambda c: c.pop("annotations")),
        "its list of annotations is missing; it has categories, images, licenses",
    ),
    "unknown image": (
        lambda: spoilt(lambda c: c["annotations"][0].update(image_id=777)),
        "begins an annotation of the image 777, which is not listed",
    ),
    "category 12": (
        lambda: spoilt(lambda c: c["annotations"][1].update(category_id=12)),
        "one of its annotations: has the category 12",
    ),
    "name twice": (
        lambda: spoilt(lambda c: c["images"][1].update(file_name=c["images"][0]["file_name"])),
        "two images have the file name '0+1'",
    ),
    "name that leads out": (
        lambda: spoilt(lambda c: c["images"][0].update(file_name="../../etc/x.jpg")),
        "byte [0-9]+, one of its images: no file name",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_annotations_are_one_line_that_names_the_file(own, case):
    text, words = BROKEN[case]
    path = own / "annotations/instances_train2017.json"
    path.write_text(text())
    with pytest.raises(ValueError, match=f"^{path}: .*{words}") as caught:
        open_coco(own).split("train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("categories"),
        lambda content: content["categories"].append({"id": 12, "name": "street sign"}),
        lambda content: content["categories"][0].update(name="Person "),
    ],
)
def test_categories_are_compared_where_they_are_named(own, change):
    (own / "annotations/instances_train2017.json").write_text(spoilt(change))
    assert len(open_coco(own).split("train")) == COUNTS["train"]


SHAPES = {
    "two points": [[1, 1, 5, 5]],
    "words": [["a", "b", "c", "d", "e", "f"]],
    "too long": {"size": [72, 96], "counts": [10, 10**9]},
    "negative": {"size": [72, 96], "counts": [-10, 72 * 96 + 10]},
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_broken_mask_is_one_line_that_names_the_annotation(own, case):
    content = instances("train")
    mine = next(a for a in content["annotations"] if a["image_id"] == 1)
    mine["segmentation"] = SHAPES[case]
    path = write_json(own, "train", content)
    dataset = open_coco(own)
    assert dataset.image_labels(ids_of("train")).any()
    with pytest.raises(ValueError, match=f"^{path}: the annotation {mine['id']} has no mask"):
        dataset.semantic_label(ids_of("train")[0])


def test_a_photograph_of_another_size_is_named(own):
    path = own / "train2017" / f"{ids_of('train')[0]}.jpg"
    Image.new("RGB", (30, 20)).save(path)
    with pytest.raises(ValueError, match=r"is \(20, 30\) pixels, .* says \(72, 96\)"):
        open_coco(own).image(ids_of("train")[0])


def test_a_folder_without_annotations_says_what_is_expected(own, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--data_root .*: no such folder"):
        open_coco(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"instances_train2014.json.*--dataset coco14"):
        Dataset(own, year=2014)
    with pytest.raises(FileNotFoundError, match=r"^--coco_mask_dir .*: no such folder"):
        open_coco(own, mask_dir=tmp_path / "nowhere")


def test_lists_read_by_pieces_are_the_same(root, monkeypatch):
    before = open_coco(root)
    labels = [before.semantic_label(i) for i in ids_of("train")]
    monkeypatch.setattr("coco.instances.PIECE", 61)
    after = open_coco(root)
    assert after.identify() == before.identify()
    assert all(map(np.array_equal, labels, map(after.semantic_label, ids_of("train"))))
