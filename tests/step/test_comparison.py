"""--compare, from the command line: two runs with one setting different."""

import json
import re
import shutil
from contextlib import chdir

import pytest
from tiny_run import PLACES, TINY, error_line

import run_sample
from tests import forked

RUNS = {"runs/a": {"beta": 10}, "runs/b": {"beta": 2}}
SHARED = ("demo_root", "cam_out_dir", "irn_weights_name")


def run(finished, run_dir, *stages, **changes):
    shared = {name: finished / PLACES[name] for name in SHARED}
    settings = {**TINY, **shared, "run_dir": run_dir, **changes}
    return run_sample.main([*forked.words_of(settings), *(f"--{stage}_pass" for stage in stages)])


@pytest.fixture(scope="module")
def place(finished, tmp_path_factory):
    """Give the folder where two runs were started: labels of two settings from one network."""
    folder = tmp_path_factory.mktemp("place")
    with chdir(folder):
        for run_dir, changes in RUNS.items():
            assert run(finished, run_dir, "make_sem_seg", "eval_sem_seg", **changes) == 0
        # The last command does not say what the labels were made with; their record does.
        assert run(finished, "runs/b", "eval_sem_seg", seed=5) == 0
    return folder


def row_of(page, start):
    (row,) = re.findall(rf"<tr><td>{start}</td>(.*?)</tr>", page)
    return re.findall(r"<td>(.*?)</td>", row)


def test_runs_stand_side_by_side(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert run_sample.main(["--compare", ",".join(RUNS), "--report_images", "2"]) == 0
    said, page = capsys.readouterr().out, (place / "result/compare.html").read_text()
    measure, split, supervision, ours, other = row_of(page, "eval_sem_seg")
    assert (measure, split, supervision) == ("mIoU", "train", "irn")
    value, other, difference = (float(x) for x in re.findall(r"[+-]?\d\.\d+", f"{ours} {other}"))
    assert difference == pytest.approx(other - value, abs=2e-4)
    assert ours.startswith("<b>") == (difference < 0)
    assert f"{value:.4f}" in said
    assert row_of(page, "--beta") == ["10", "10", "2"]
    # Of these labels no network was trained anew.
    assert set(re.findall(r"<td>--(\w+)</td>", page)) == {"beta"}
    assert re.search(r"--beta +\| 10 +\| 10 +\| 2 ", said)
    titles = re.findall(r'alt="(.*?)"', page)
    assert titles.count("image") == titles.count("truth: classes") == 2
    for run_dir in RUNS:
        assert titles.count(f"{run_dir}: semantic label") == 2


def test_runs_that_were_moved_and_lack_labels_are_compared(place, tmp_path, monkeypatch, capsys):
    shutil.copytree(place / "runs", tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved/b/result/demo/sem_seg")
    (tmp_path / "moved/b/result/demo/metrics.jsonl").unlink()
    monkeypatch.chdir(tmp_path)
    assert run_sample.main(["--compare", f"{place}/runs/a,moved/a,moved/b"]) == 0
    said, page = capsys.readouterr().out, (tmp_path / "result/compare.html").read_text()
    assert "warning: moved/b: no measures in " in said
    titles = re.findall(r'alt="(.*?)"', page)
    assert f"{place}/runs/a: semantic label" in titles
    assert "moved/a: semantic label" in titles
    assert "moved/b: nothing to show" in titles


def test_runs_on_other_images_are_compared_and_told(place, tmp_path, monkeypatch, capsys):
    shutil.copytree(place / "runs", tmp_path / "runs")
    path = tmp_path / "runs/b/result/demo/sample_train_eval.settings.json"
    saved = json.loads(path.read_text())
    other = tmp_path / "other"
    shutil.copytree(saved["settings"]["demo_root"], other)
    image = next((other / "JPEGImages").iterdir())
    image.write_bytes(image.read_bytes() + b"0")
    saved["settings"]["demo_root"] = str(other)
    path.write_text(json.dumps(saved))
    monkeypatch.chdir(tmp_path)
    for named, count in ((f"{place}/runs/a,runs/a", 0), ("runs/a,runs/b", 1)):
        assert run_sample.main(["--compare", named]) == 0
        line = "The images, labels or classes of runs/b are not those of runs/a."
        page = (tmp_path / "result/compare.html").read_text()
        assert capsys.readouterr().out.count(f"warning: {line}") == page.count(line) == count


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("runs/a", "accepted is two different runs or more"),
        ("runs/a,runs/a", "accepted is two different runs or more"),
        ("runs/a,runs", "--compare runs: has no sample_train_eval.settings.json"),
    ],
)
def test_what_is_no_two_runs_is_one_line(place, monkeypatch, capsys, named, said):
    monkeypatch.chdir(place)
    assert run_sample.main(["--compare", named]) == 2
    assert said in error_line(capsys)


def test_runs_of_other_data_are_refused_and_their_modules_not_imported(
    place, tmp_path, monkeypatch, capsys
):
    shutil.copytree(place / "runs", tmp_path / "runs")
    (tmp_path / "own_data.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    runs = [tmp_path / name / "result/demo/sample_train_eval.settings.json" for name in RUNS]
    for number, path in enumerate(runs):
        path.write_text(path.read_text().replace('"dataset": "demo"', '"dataset": "own_data"'))
        assert run_sample.main(["--compare", "runs/b,runs/a"]) == (2 if number == 0 else 0)
        if number == 0:
            said = "--compare runs/a: a run of own_data, and runs/b is one of demo; accepted are"
            assert said in error_line(capsys)
    assert "if you trust its module, pass --dataset own_data, too" in capsys.readouterr().out
