import pytest

from misc.evaluate.measures import (
    end_of,
    read_seconds,
    read_since,
    record,
    record_seconds,
)


def test_measures_are_appended_and_read_from_a_place_on(tmp_path):
    path = tmp_path / "result" / "metrics.jsonl"
    assert end_of(path) == 0
    record(path, stage="eval_cam", split="train", measures={"mIoU": 0.4})
    place = end_of(path)
    record(
        path, stage="eval_sem_seg", split="train", measures={"mIoU": 0.6}, published={"mIoU": 0.665}
    )
    assert [line["stage"] for line in read_since(path, 0)] == ["eval_cam", "eval_sem_seg"]
    (line,) = read_since(path, place)
    assert line == {
        "stage": "eval_sem_seg",
        "split": "train",
        "supervision": "irn",
        "measure": "mIoU",
        "value": 0.6,
        "published": 0.665,
    }


def test_of_a_stages_runs_the_longest_counts(tmp_path):
    for stage, seconds in (("a", 3.0), ("b", 2.0), ("a", 0.5)):
        record_seconds(tmp_path / "details" / "seconds.jsonl", stage, seconds)
    assert read_seconds(tmp_path / "details" / "seconds.jsonl") == {"a": 3.0, "b": 2.0}
    assert read_seconds(tmp_path / "none.jsonl") == {}


def test_a_line_that_was_cut_short_is_left_out_and_another_broken_one_is_named(tmp_path):
    path = tmp_path / "seconds.jsonl"
    path.write_text('{"stage": "a", "seconds": 1.0}\n{"stage": "b", "sec')
    assert read_since(path, 0) == [{"stage": "a", "seconds": 1.0}]
    path.write_text('nothing\n{"stage": "a"}\n')
    with pytest.raises(ValueError, match=r"seconds.jsonl, line 1: no measure"):
        read_since(path, 0)
