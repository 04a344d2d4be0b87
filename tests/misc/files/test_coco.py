import numpy as np

from misc.files.coco import Described, coco_dataset, instance_records


def detections():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 2:5] = True
    masks[1, 3, 5] = True
    return {"mask": masks, "class": np.array([0, 19]), "score": np.array([0.5, 0.0], np.float32)}


def test_annotations_count_from_1_and_images_keep_their_ids():
    records = instance_records(detections(), range(1, 21))
    images = [Described(7, "a.jpg", (4, 6), records), Described(3, "b.jpg", (4, 6), records)]
    data = coco_dataset(images, {1: "x", 20: "y"}, description="two")
    assert [image["id"] for image in data["images"]] == [7, 3]
    assert [a["id"] for a in data["annotations"]] == [1, 2, 3, 4]
    assert [a["image_id"] for a in data["annotations"]] == [7, 7, 3, 3]
    assert data["categories"] == [{"id": 1, "name": "x"}, {"id": 20, "name": "y"}]
