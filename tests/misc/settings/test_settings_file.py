import json

import pytest

from misc.run.log import write_settings
from misc.settings.flags import read_config

FLAGS = ["--cam_scales", "1.0,0.5", "--limit", "3", "--beta", "8", "--tables", "--overwrite", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def saved(*arguments):
    config = read_config(list(arguments))
    return config, write_settings(config)


def changed(path, **settings):
    with open(path) as file:
        content = json.load(file)
    content["settings"] |= settings
    with open(path, "w") as file:
        json.dump(content, file)


def test_a_run_is_repeated_from_its_settings(folder):
    config, path = saved(*FLAGS, "--run_dir", "runs/a", "--cam_out_dir", "mine")
    again = read_config(["--settings", path])
    assert vars(again) == vars(config) | {"settings": path}
    assert again.cam_scales == (1.0, 0.5)


def test_flags_win_over_the_file_and_the_file_over_the_preset(folder):
    (folder / "few.json").write_text(json.dumps({"settings": {"beta": 8, "seed": 4}}))
    config = read_config(["--settings", "few.json", "--beta", "6"])
    assert (config.beta, config.seed, config.preset, config.exp_times) == (6, 4, "demo", 3)
    assert read_config(["--settings", "few.json", "--voc12_root", "V"]).preset == "voc12"


def test_a_run_dir_moves_the_places_that_the_first_run_named_by_no_flag(folder):
    _, path = saved("--run_dir", "runs/a", "--cam_out_dir", "mine")
    config = read_config(["--settings", path, "--run_dir", "runs/b"])
    assert config.irn_weights_name == "runs/b/sess/demo/res50_irn.pth"
    assert config.log_name == "runs/b/result/demo/sample_train_eval"
    assert config.cam_out_dir == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--preset voc12 --voc12_root V", "--preset voc12: .* repeats a run of the preset demo"),
        ("--voc12_root V", "--dataset voc12: .* repeats a run of the dataset demo"),
    ],
)
def test_another_preset_or_data_set_than_the_files_is_refused(folder, words, said):
    _, path = saved()
    with pytest.raises(ValueError, match=said):
        read_config(["--settings", path, *words.split()])
    assert read_config(["--settings", path, "--preset", "demo"]).preset == "demo"


def test_a_setting_of_another_data_set_in_the_file_is_refused(folder):
    words = ["--dataset", "coco17", "--data_root", "C", "--coco_truth", "small_first"]
    _, path = saved(*words)
    assert read_config(["--settings", path]).coco_truth == "small_first"
    changed(path, labels="t.csv")
    with pytest.raises(ValueError, match=f"^--settings {path}: --labels t.csv: is of --dataset f"):
        read_config(["--settings", path])


def test_what_only_looks_does_not_replace_the_settings_of_the_run(folder):
    words = "--show a", "--tables", "--sweep beta=5,10", "--dry_run", "--compare a,b --preset demo"
    looks = [each.split() for each in words]
    paths = {saved(*words)[1] for words in ([], *looks)}
    assert len(paths) == 6
    assert read_config(["--settings", min(paths, key=len)]).show is None
    shown = "result/demo/sample_train_eval.show.settings.json"
    assert read_config(["--settings", shown]).show == "a"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"no_such": 1}, "there is no setting no_such"),
        ({"cam_batch_size": None}, "cam_batch_size is None, accepted is int"),
        ({"cam_scales": ["a"]}, "cam_scales: 'a' is no float,..."),
        ({"cam_scales": 1.0}, "cam_scales is 1.0, accepted is float,..."),
        ({"cam_batch_size": 0}, "--cam_batch_size 0: accepted is a number above 0"),
    ],
)
def test_a_setting_that_cannot_be_used_names_the_file(folder, change, words):
    _, path = saved()
    changed(path, **change)
    with pytest.raises(ValueError, match="--settings result/demo/sample_train") as caught:
        read_config(["--settings", path])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", '{"settings": 3}', "[" * 100_000])
def test_a_file_that_is_no_settings_names_itself(folder, text):
    (folder / "x.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"--settings x.json: not (readable|the settings)"):
        read_config(["--settings", "x.json"])
    with pytest.raises(FileNotFoundError, match=r"--settings y.json: no such file"):
        read_config(["--settings", "y.json"])
