import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from misc.files.coco import Described, coco_dataset, encode_rle, instance_records

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(SHAPES.flatmap(lambda shape: arrays(bool, shape)))
@settings(max_examples=60, deadline=None)
def test_run_lengths_are_those_of_pycocotools(mask):
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = encode_rle(mask)
    assert ours["counts"] == theirs["counts"].decode()
    assert ours["size"] == theirs["size"]


def test_long_runs_take_several_characters():
    mask = np.zeros((500, 375), bool)
    mask[100:400, 50:300] = True
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encode_rle(mask)["counts"] == theirs["counts"].decode()


def detections():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 2:5] = True
    masks[1, 3, 5] = True
    return {"mask": masks, "class": np.array([0, 19]), "score": np.array([0.5, 0.0], np.float32)}


def test_records_have_area_and_box():
    first, second = instance_records(detections(), range(1, 21))
    assert first["category_id"] == 1
    assert first["area"] == 6
    assert first["bbox"] == [2, 1, 3, 2]
    assert second["category_id"] == 20
    assert second["bbox"] == [5, 3, 1, 1]


def test_annotations_count_from_1_and_images_keep_their_ids():
    records = instance_records(detections(), range(1, 21))
    images = [Described(7, "a.jpg", (4, 6), records), Described(3, "b.jpg", (4, 6), records)]
    data = coco_dataset(images, {1: "x", 20: "y"}, description="two")
    assert [image["id"] for image in data["images"]] == [7, 3]
    assert [a["id"] for a in data["annotations"]] == [1, 2, 3, 4]
    assert [a["image_id"] for a in data["annotations"]] == [7, 7, 3, 3]
    assert data["categories"] == [{"id": 1, "name": "x"}, {"id": 20, "name": "y"}]
