import json

import numpy as np
import pytest

from misc.evaluate.details import Confusions, semantic_details
from misc.metrics import iou_per_class, mean_iou


def test_confusions_are_added_up_and_each_images_iou_is_kept():
    rng = np.random.default_rng(0)
    counts = {f"image{n}": rng.integers(0, 50, (4, 4)) for n in range(5)}
    counts["nothing counted"] = np.zeros((4, 4), np.int64)
    found = Confusions.of(4)
    for image_id, count in counts.items():
        assert found.add(image_id, count) == found.images[image_id]
    details = semantic_details(found)
    total = np.sum(list(counts.values()), axis=0)
    assert details["confusion"] == total.tolist()
    assert details["IoU"] == pytest.approx(iou_per_class(total), abs=1e-5)
    assert list(details["images"]) == list(counts)
    assert details["images"].pop("nothing counted") is None
    for image_id, iou in details["images"].items():
        assert iou == pytest.approx(mean_iou(counts[image_id]), abs=1e-5)
    json.dumps(details)
