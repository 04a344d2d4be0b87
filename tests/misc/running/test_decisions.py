import numpy as np

from misc.files.labels import LEAST_SCORE
from misc.running import decisions
from misc.running.decisions import Decision, instance_labels


def test_decisions_that_differ_in_their_scores_alone_share_one_refined_map(monkeypatch):
    refined = []

    def refine(image, maps, *, backend):
        refined.extend(maps)
        return [numbers.copy() for numbers in maps]

    monkeypatch.setattr(decisions, "refine_winners", refine)
    index, best = np.ones((40, 40), np.int32), np.full((40, 40), 0.8, np.float32)
    asked = [
        Decision(background=level, crf="torch", gathered=gathered)
        for level in (0.2, 0.4)
        for gathered in (0, 0.3)
    ]
    found = list(
        instance_labels(
            index,
            best,
            np.array([4]),
            asked,
            pixels=np.zeros((40, 40, 3), np.uint8),
            displacement=np.zeros((2, 10, 10), np.float32),
        )
    )
    assert len(refined) == 2
    assert [one["score"].tolist() for one in found] == [
        [np.float32(0.8)],
        [np.float32(LEAST_SCORE)],
    ] * 2
    assert all(one["mask"].all() and one["class"].tolist() == [4] for one in found)
