import numpy as np
import pytest
from pycocotools import mask as runs

from coco import Dataset
from coco.categories import CATEGORY_IDS
from tests.coco_shaped import ids_of, make_coco, official, official_precision

NAMES = ["AP", "AP50", "AP75", "AP small", "AP medium", "AP large"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_coco(tmp_path_factory.mktemp("coco"))


def detections(dataset, image_id, rng):
    """Give random detections, most of them near a true mask, some of classes without any."""
    masks, classes = dataset.instance_label(image_id)
    crowds, crowd_classes = dataset.ignored_regions(image_id)
    shape = dataset.image(image_id).shape[:2]
    found, labels = [], []
    for mask, label in zip([*masks, *crowds], [*classes, *crowd_classes], strict=True):
        for _ in range(int(rng.integers(0, 4))):
            shifted = np.roll(mask, rng.integers(-6, 7, 2), (0, 1))
            found.append(shifted & (rng.random(shape) < rng.choice([1, 0.97, 0.8])))
            labels.append(label)
    for _ in range(int(rng.integers(0, 3))):
        noise = np.zeros(shape, bool)
        top, left = rng.integers(0, 40, 2)
        noise[top : top + 20, left : left + 15] = True
        found.append(noise)
        labels.append(int(rng.choice([0, 16, 79, 3])))
    # Scores with ties: their order must be pycocotools' too.
    scores = rng.choice(np.linspace(0.1, 1, 5), len(found)).astype(np.float32)
    return np.array(found, bool).reshape(-1, *shape), np.array(labels, np.int64), scores


def by_pycocotools(path, found):
    records = [
        {
            "image_id": int(image_id),
            "category_id": int(CATEGORY_IDS[label]),
            "segmentation": runs.encode(np.asfortranarray(mask, np.uint8)),
            "score": float(score),
        }
        for image_id, image in found.items()
        for mask, label, score in zip(*image, strict=True)
    ]
    return dict(zip(NAMES, official_precision(official(path), records), strict=True))


@pytest.mark.parametrize("seed", range(2))
def test_ap_is_pycocotools_on_random_detections(root, seed):
    dataset, rng = Dataset(root, year=2017), np.random.default_rng(seed)
    found = {i: detections(dataset, i, rng) for i in ids_of("train")}
    matches = [dataset.match_instances(i, *found[i]) for i in sorted(found, reverse=True)]
    mine = dataset.instance_measures(matches)
    wanted = by_pycocotools(root / "annotations/instances_train2017.json", found)
    assert 0 < mine["COCO AP"] < 1
    assert mine == {f"COCO {n}": pytest.approx(v, abs=1e-6) for n, v in wanted.items() if v >= 0}


def test_ap_of_the_truth_itself_is_one_and_of_nothing_is_zero(root):
    dataset = Dataset(root, year=2017)
    perfect, nothing = [], []
    for image_id in ids_of("val"):
        masks, classes = dataset.instance_label(image_id)
        perfect.append(dataset.match_instances(image_id, masks, classes, np.ones(len(masks))))
        nothing.append(dataset.match_instances(image_id, masks[:0], classes[:0], np.ones(0)))
    assert dataset.instance_measures(perfect)["COCO AP"] == 1
    assert dataset.instance_measures(nothing)["COCO AP"] == 0
    assert dataset.instance_measures([]) == {}
