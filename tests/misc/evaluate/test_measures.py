import pytest

import run_sample
from misc.evaluate.measures import (
    read_seconds,
    record_seconds,
)


def test_of_a_stages_runs_the_longest_counts(tmp_path):
    for stage, seconds in (("a", 3.0), ("b", 2.0), ("a", 0.5)):
        record_seconds(tmp_path / "details" / "seconds.jsonl", stage, seconds)
    assert read_seconds(tmp_path / "details" / "seconds.jsonl") == {"a": 3.0, "b": 2.0}
    assert read_seconds(tmp_path / "none.jsonl") == {}


def test_a_line_that_was_cut_short_is_left_out_and_another_broken_one_is_named(tmp_path):
    path = tmp_path / "seconds.jsonl"
    path.write_text('{"stage": "a", "seconds": 1.0}\n{"stage": "b", "sec')
    assert read_seconds(path) == {"a": 1.0}
    path.write_text('nothing\n{"stage": "a"}\n')
    with pytest.raises(ValueError, match=r"seconds.jsonl, line 1: no measure"):
        read_seconds(path)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('{"split": "val", "supervision": "irn", "measure": "AP50", "value": 1}', "stage"),
        ('{"stage": 1, "split": "val", "measure": "AP50", "value": "x"}', "stage, supervision, v"),
        ("[1, 2]", "stage, split"),
        ("null", "stage, split"),
    ],
)
def test_a_line_of_another_form_is_one_line(tmp_path, capsys, line, wrong):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{line}\n")
    words = ["--tables", "--metrics_file", str(path), "--log_name", str(tmp_path / "log")]
    assert run_sample.main(words) == 2
    assert f"error: {path}, line 1: no measure ({wrong}" in capsys.readouterr().err
