import pickle

import numpy as np
import pytest

from misc.evaluate.evaluation import JOINED_IMAGES, MatchBuffer, SparseConfusion
from misc.metrics import ImageMatches, average_precision, join_matches


def random_record(rng):
    found, true = rng.integers(0, 5, 2)
    index = rng.integers(-1, true, found) if true else np.full(found, -1)
    return ImageMatches(
        classes=rng.integers(0, 3, found),
        scores=rng.choice([0.2, 0.5, 1.0], found).astype(np.float32),
        best_iou=np.where(index < 0, 0, rng.random(found)),
        best_index=index,
        gt_classes=rng.integers(0, 3, true),
        ignored=rng.random(found) < 0.2,
    )


@pytest.mark.parametrize("seed", range(2))
def test_joined_records_have_the_average_precision_of_the_images(seed):
    rng = np.random.default_rng(seed)
    records = [random_record(rng) for _ in range(40)]
    whole = average_precision(records, num_classes=3)
    parts = [join_matches(records[:7]), join_matches(records[7:7]), join_matches(records[7:])]
    np.testing.assert_array_equal(average_precision(parts, num_classes=3), whole)


def test_records_are_joined_by_hundreds_and_stay_in_order():
    rng = np.random.default_rng(0)
    records = [random_record(rng) for _ in range(2 * JOINED_IMAGES + 3)]
    kept = MatchBuffer()
    for record in records:
        kept.add(record)
    assert len(kept.joined) == 2 + 3
    np.testing.assert_array_equal(
        average_precision(kept.joined, num_classes=3), average_precision(records, num_classes=3)
    )


def test_the_confusions_of_an_image_are_added_up_from_its_own_labels_in_little_memory():
    rng = np.random.default_rng(0)
    total = np.zeros((100, 81, 81), np.int64)
    expected = np.zeros_like(total)
    for labels in ([0, 7, 80], [0, 7], []):
        counts = np.zeros_like(total)
        place = np.ix_(range(100), labels, labels[:2])
        counts[place] = rng.integers(0, 9, counts[place].shape)
        found = SparseConfusion.of(counts)
        assert len(pickle.dumps(found)) < 10_000
        found.add_to(total)
        expected += counts
    np.testing.assert_array_equal(total, expected)
