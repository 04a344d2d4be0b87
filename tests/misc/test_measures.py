from misc.measures import end_of, read_since, record, stage_rows, table


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


def test_a_stage_without_measures_has_one_row():
    assert stage_rows("make_cam", "3.0", []) == [["make_cam", "3.0", "", "", ""]]


def test_the_table_is_aligned_markdown():
    lines = table([("stage", "value"), ("eval_cam", "0.5")]).splitlines()
    assert lines == ["| stage    | value |", "| -------- | ----- |", "| eval_cam | 0.5   |"]
