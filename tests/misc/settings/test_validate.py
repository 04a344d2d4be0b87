"""Flags that are refused beside one another, in one line that names them."""

import itertools

import pytest

from misc.settings.flags import read_config

INSTEAD = {"predict": ".", "export": ".", "sweep": "beta=2,5", "show": "a", "tables": "True"}


def refused(*words, match):
    with pytest.raises(ValueError, match=match) as caught:
        read_config(words)
    assert "\n" not in str(caught.value)


def refused_prediction(words, match, monkeypatch):
    monkeypatch.setattr("misc.settings.flags.PREDICTS", {})
    refused("--predict", ".", *words, match=match)


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(INSTEAD, 2)])
def test_of_what_takes_the_stages_place_a_command_does_one(monkeypatch, one, other):
    monkeypatch.setattr("misc.settings.flags.PREDICTS", {})
    words = [word for name in (one, other) for word in (f"--{name}", INSTEAD[name])]
    refused(*words, match=rf"^--{one} and --{other}: a command does one of them")


def test_a_dry_run_is_of_stages_and_sweeps(monkeypatch):
    assert read_config(["--dry_run", "--sweep", "beta=2,5"]).dry_run
    for name in ("show", "tables"):
        words = ["--dry_run", f"--{name}", INSTEAD[name]]
        refused(*words, match=rf"^--dry_run: checks what .* has nothing to check for --{name}")
    refused_prediction(["--dry_run"], "^--dry_run: .* --predict; leave one", monkeypatch)


def test_a_prediction_runs_no_stage(monkeypatch):
    words = ["--train_cam_pass"]
    refused_prediction(words, "^--train_cam_pass: --predict runs no stage", monkeypatch)


@pytest.mark.parametrize(
    ("network", "flag", "value", "whose"),
    [
        ("deeplab", "predict_score", "0.9", "mask_rcnn or irn"),
        ("mask_rcnn", "predict_long_side", "512", "deeplab or irn"),
    ],
)
def test_a_flag_of_another_network_is_refused(monkeypatch, network, flag, value, whose):
    words = ["--predict_network", network, f"--{flag}", value]
    match = rf"^--{flag} {value}: is of --predict_network {whose}, not {network}; leave it out"
    refused_prediction(words, match, monkeypatch)


@pytest.mark.parametrize(
    "words",
    [
        ["--make_cam_pass"],
        ["--eval_cam_pass", "False"],
        ["--eval_cam_pass", "--show", "a"],
    ],
)
def test_thresholds_are_not_suggested_where_eval_cam_does_not_run(words):
    refused("--suggest_thresholds", *words, match="^--suggest_thresholds: the stage eval_cam")


def test_steps_of_the_walk_have_a_bound():
    assert read_config(["--exp_times", "20"]).exp_times == 20
    refused("--exp_times", "21", match="^--exp_times 21: accepted is a whole number from 0 to 20$")
