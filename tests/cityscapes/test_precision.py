"""Cityscapes' average precision: by hand, and as its own program computes it."""

import city_tree
import numpy as np
import pytest
from city_tree import CAR, TRAIN, VAL

from cityscapes import Dataset
from cityscapes.names import INSTANCE_IDS
from cityscapes.precision import average_precision, match_detections
from misc.files.images import read_label
from misc.files.labels import save_instances

IDS = [*TRAIN, *VAL]
# AP and AP50 that cityscapesscripts 2.3.0 computed for `detections` of each seed.
EXPECTED = {
    0: (0.05386163986055967, 0.2740081652169564),
    1: (0.05525548010943178, 0.1478914543457027),
    2: (0.11111585802384506, 0.23501938364377092),
}


def crowded(seed, size=(90, 160)):
    """Draw instances of random boxes, large and small, groups, and void: a map of instanceIds."""
    rng = np.random.default_rng(seed)
    numbers = np.full(size, 7)
    for number in range(14):
        top, left = (int(rng.integers(side - 8)) for side in size)
        height, width = rng.integers(6, 40, 2)
        label_id = rng.choice([24, 26, 33])
        value = rng.choice([label_id * 1000 + number, label_id, 4], p=[0.7, 0.2, 0.1])
        numbers[top : top + height, left : left + width] = value
    for _ in range(4):  # groups below the size that counts
        top, left = (int(rng.integers(side - 8)) for side in size)
        numbers[top : top + 6, left : left + 8] = rng.choice([24, 26, 33])
    return numbers


def detections(seed, numbers):
    """Move and spoil the true regions, doubles among them, and add wrong ones; scores have ties."""
    rng = np.random.default_rng([seed, 1])
    masks, ids = [], []
    for value in np.setdiff1d(np.unique(numbers), [7]):
        for _ in range(rng.integers(3)):
            mask = np.roll(numbers == value, rng.integers(-4, 5, 2), axis=(0, 1))
            masks.append(mask & (rng.random(mask.shape) < rng.choice([1.0, 0.95, 0.7])))
            owner = value // 1000 if value >= 1000 else value
            ids.append(owner if owner in INSTANCE_IDS and rng.random() < 0.9 else 26)
    for _ in range(4):
        masks.append(np.zeros(numbers.shape, bool))
        top, left = rng.integers(60, size=2)
        masks[-1][top : top + 20, left : left + 25] = True
        ids.append(rng.choice(INSTANCE_IDS))
    masks.append(np.zeros(numbers.shape, bool))  # an empty one
    scores = (rng.integers(1, 12, len(masks)) / 12).astype(np.float32)
    return {
        "mask": np.array(masks),
        "score": scores,
        "class": np.searchsorted(INSTANCE_IDS, [*ids, 24]),
    }


@pytest.mark.parametrize("seed", EXPECTED)
def test_random_detections_measure_as_the_figures_that_it_computed(root, seed):
    dataset, matches = Dataset(root), []
    for number, image_id in enumerate(IDS):
        numbers = crowded(100 * seed + number)
        split = "train" if image_id in TRAIN else "val"
        city_tree.write_image(root, split, image_id, np.zeros((*numbers.shape, 3), np.uint8))
        city_tree.write_truth(root, split, image_id, numbers)
        found = detections(100 * seed + number, numbers)
        matches.append(
            dataset.match_instances(image_id, found["mask"], found["class"], found["score"])
        )
    measures = dataset.instance_measures(matches)
    assert list(measures) == ["Cityscapes AP", "Cityscapes AP50"]
    assert list(measures.values()) == pytest.approx(EXPECTED[seed], abs=1e-9)


def street(*boxes):
    """Give a map (40, 100) of road with boxes (left, right, value), all of 20 rows."""
    numbers = np.full((40, 100), 7)
    for left, right, value in boxes:
        numbers[10:30, left:right] = value
    return numbers


def column(left, right):
    """Give the mask of a box of `street`."""
    return street((left, right, -1)) < 0


def precision(numbers, *detected, label_id=CAR):
    """Give AP at each overlap of one image's (mask, score)."""
    masks = np.array([mask for mask, _ in detected], bool).reshape(-1, *numbers.shape)
    scores = np.array([score for _, score in detected])
    found = match_detections(numbers, masks, np.full(len(masks), label_id), scores)
    return average_precision([found])[:, INSTANCE_IDS.tolist().index(label_id)]


def test_a_mask_is_found_where_its_iou_exceeds_the_overlap():
    numbers = street((0, 20, 26000))
    assert precision(numbers, (column(0, 20), 0.5)).tolist() == [1] * 10
    # 16 of 20 columns: an IoU of 0.8 exceeds 0.5 to 0.75.
    assert precision(numbers, (column(0, 16), 0.5)).tolist() == [1] * 6 + [0] * 4
    assert precision(numbers).tolist() == [0] * 10


def test_of_two_masks_on_one_object_the_one_with_the_higher_score_is_right():
    numbers = street((0, 20, 26000), (40, 60, 26001))
    masks = [(column(0, 20), 0.9), (column(0, 19), 0.2), (column(40, 60), 0.1)]
    # Precision, recall from the lowest score on: 2/3, 1; 1/2, 1/2; 1, 1/2; and 1, 0 at the end,
    # each with half of the two steps beside it.
    assert precision(numbers, *masks)[0] == pytest.approx((2 / 3 + 1 / 2 + 1 + 1) / 4)
    assert precision(numbers, *masks[::-1])[0] == pytest.approx((2 / 3 + 1 / 2 + 1 + 1) / 4)


def test_a_detection_mostly_on_void_a_group_or_a_small_instance_does_not_count():
    for value in (3, 26, 29):  # void, a group of cars, a group of caravans
        numbers = street((0, 20, 26000), (40, 60, value))
        alone = precision(numbers, (column(0, 20), 0.5))
        both = precision(numbers, (column(0, 20), 0.5), (column(44, 64), 0.9))  # 0.8 of it
        assert both[:6].tolist() == alone[:6].tolist()
        assert both[7] < alone[7]
    numbers = street((0, 20, 26000))
    numbers[0, :99] = 26001  # 99 pixels are too few
    on_it = numbers == 26001
    assert precision(numbers, (column(0, 20), 0.5), (on_it, 0.9)).tolist() == [1] * 10
    numbers[0, 99] = 26001
    assert precision(numbers, (column(0, 20), 0.5)).tolist() == [0.5] * 10


def test_the_export_names_label_ids_and_leaves_out_fragments(root, tmp_path):
    masks = np.array([column(0, 20), column(0, 1), column(5, 9)])
    scores = np.array([0.75, 0, 1], np.float32)
    found = {"mask": masks, "score": scores, "class": np.array([2, 0, 7])}
    save_instances(tmp_path / f"{VAL[0]}.npz", found)
    results = Dataset(root).pack_instances(tmp_path, VAL[:1])
    assert (results / f"{VAL[0]}.txt").read_text().splitlines() == [
        f"masks/{VAL[0]}_0.png 26 0.75",
        f"masks/{VAL[0]}_1.png 33 1",
    ]
    assert (read_label(results / f"masks/{VAL[0]}_1.png") == masks[2] * 255).all()


def test_fragments_that_are_not_exported_are_not_measured(tmp_path):
    dataset = Dataset(city_tree.make_cityscapes(tmp_path))
    (image_id, *_) = TRAIN
    masks, classes = dataset.instance_label(image_id)
    wrong = ~masks  # a false positive each, where it counted
    found = np.concatenate([masks, wrong]), np.tile(classes, 2)
    scores = np.repeat(np.float32([0.9, 0]), len(masks))
    whole = dataset.match_instances(image_id, *found, scores)
    assert whole.scores.tolist() == scores[: len(masks)].tolist()
    with_fragments = dataset.instance_measures([whole])
    alone = dataset.match_instances(image_id, masks, classes, scores[: len(masks)])
    assert with_fragments == dataset.instance_measures([alone])


def test_without_a_true_instance_there_is_no_ap(root, caplog):
    dataset, image_id = Dataset(root), VAL[0]
    city_tree.write_truth(root, "val", image_id, np.full(city_tree.SIZE, city_tree.ROAD))
    masks = np.ones((1, *city_tree.SIZE), bool)
    match = dataset.match_instances(image_id, masks, np.zeros(1, np.int64), np.ones(1))
    with caplog.at_level("INFO"):
        assert dataset.instance_measures([match]) == {}
    assert "Cityscapes AP is left out: no image has an instance" in caplog.text
