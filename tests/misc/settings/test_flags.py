import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import run_sample
from misc.settings.config import SETTINGS
from misc.settings.flags import page, read_config
from misc.settings.version import VERSION
from step import STAGES

ROOT = Path(__file__).parents[3]
VOC = ["--voc12_root", "VOC2012"]


def where(*words):
    config = read_config(words)
    return config.dataset, config.data_root, config.preset


def test_a_data_set_is_named_with_its_folder_and_without_either_it_is_the_demo():
    assert where() == where("--dataset", "demo") == where("--preset", "demo")
    assert where() == ("demo", None, "demo")
    assert where(*VOC) == ("voc12", "VOC2012", "voc12")
    assert where("--dataset", "voc12", "--data_root", "V") == ("voc12", "V", "voc12")
    assert where("--preset", "voc12_author", "--data_root", "V") == ("voc12", "V", "voc12_author")
    words = ("--dataset", "coco14", "--data_root", "C", "--preset", "coco14_rib")
    assert where(*words) == ("coco14", "C", "coco14_rib")
    words = ("--dataset", "voc12", "--data_root", "V", "--preset", "demo")
    assert where(*words) == ("voc12", "V", "demo")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--voc12_root V --dataset demo",
            "--voc12_root V: is --dataset voc12 .* --dataset is demo",
        ),
        ("--dataset voc12", "--dataset voc12: needs its folder: pass --data_root"),
        ("--data_root V", "--data_root V: the demo's data are drawn in .* --dataset"),
        ("--dataset voc-12", "--dataset voc-12: accepted is voc12 or .* or demo, or a module"),
        (
            "--data_root V --dataset coco17 --labels t.csv",
            "--labels t.csv: is of --dataset folder, not coco17; leave it",
        ),
        (
            "--data_root V --dataset folder --coco_truth small_first",
            "--coco_truth small_first: is of --dataset coco14 or coco17, not folder",
        ),
    ],
)
def test_flags_of_the_data_that_contradict_each_other_are_one_line(words, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        read_config(words.split())
    assert "\n" not in str(caught.value)


def test_voc12_has_the_published_settings():
    config = read_config(VOC)
    assert (config.cam_batch_size, config.cam_num_epoches, config.cam_learning_rate) == (16, 5, 0.1)
    assert (config.irn_batch_size, config.irn_num_epoches, config.irn_learning_rate) == (32, 3, 0.1)
    assert (config.cam_momentum, config.irn_momentum) == (1e-4, 1e-4)
    assert config.cam_scales == (1.0, 0.5, 1.5, 2.0)
    assert (config.conf_fg_thres, config.conf_bg_thres) == (0.30, 0.05)
    assert config.cam_out_dir == "result/cam"


def test_the_authors_preset_changes_irnet_alone():
    published = vars(read_config(VOC))
    author = vars(read_config([*VOC, "--preset", "voc12_author"]))
    changed = {name: author[name] for name in author if author[name] != published[name]}
    assert changed == {"preset": "voc12_author", "irn_batch_size": 16, "irn_num_epoches": 5}


def test_the_demo_writes_in_folders_of_its_own_which_a_run_dir_moves():
    config = read_config([])
    assert config.cam_out_dir == "result/demo/cam"
    assert config.log_name == "result/demo/sample_train_eval"
    config = read_config(["--run_dir", "runs/a", "--cam_out_dir", "mine"])
    assert config.irn_weights_name == "runs/a/sess/demo/res50_irn.pth"
    assert config.demo_root == "runs/a/result/demo/VOC2012"
    assert config.cam_out_dir == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--overwrite", "maybe"], "--overwrite"),
        (["--no_such_flag", "1"], "--no_such_flag"),
        (
            ["--cam_scales", "1.0,,0.5"],
            "; accepted is at least one number above 0, for example 1.0,0.5",
        ),
    ],
)
def test_what_a_flag_does_not_take_is_refused_in_one_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        read_config(arguments)
    message = capsys.readouterr().err
    assert stop.value.code == 2
    assert message.count("\n") == 1
    assert words in message


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("cam_batch_size", "0"),
        ("cam_crop_size", "500"),
        ("conf_fg_thres", "1.5"),
        ("preset", "voc2007"),
        ("deeplab_scales", "1.0,inf"),
        ("cam_resize_long", "640,320"),
        ("beta", "inf"),
        ("mask_rcnn_drops", "150,100"),
        ("mask_rcnn_drops", "100,201"),  # the demo has 200 steps
        ("limit", "0"),
        ("seed", "18446744073709551616"),
        ("irn_weights_name", "sess/"),
        ("show", "../../x"),
        *((name, "") for name in ("cam_scales", "supervision", "cam_out_dir")),
    ],
)
def test_a_value_outside_its_range_names_flag_value_and_range(flag, value):
    shown = re.escape(value or repr(value))
    with pytest.raises(ValueError, match=f"--{flag} {shown}: .*accepted") as caught:
        read_config([f"--{flag}", value])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flag", ["overwrite", "train_cam_pass"])
def test_a_bare_boolean_flag_means_true_and_takes_nothing_else(flag):
    config = read_config([f"--{flag}", "--limit", "3"])
    assert getattr(config, flag) is True
    assert config.limit == 3
    assert getattr(read_config(["--limit", "3", f"--{flag}"]), flag) is True


def asked(*arguments):
    config = read_config(list(arguments))
    return [stage.name for stage in STAGES if config.runs_stage(stage.flag)]


def test_without_a_pass_flag_every_stage_runs_but_those_of_another_cam_method():
    every = [stage.name for stage in STAGES]
    others = ("train_recam", "train_lpcam", "train_amn")
    assert asked() == [name for name in every if name not in others]
    lpcam = [name for name in every if name not in ("train_recam", "train_amn")]
    assert asked("--cam_method", "lpcam") == lpcam


def test_any_pass_set_true_runs_only_those_and_passes_set_false_all_the_others():
    chosen = asked("--eval_cam_pass", "True", "--train_irn_pass", "1", "--make_cam_pass", "False")
    assert chosen == ["eval_cam", "train_irn"]
    assert asked("--train_cam_pass", "False") == asked()[1:]


def test_what_a_setting_affects_is_a_stage():
    known = {stage.name for stage in STAGES}
    for name, declared in SETTINGS.items():
        assert set(declared.affects) <= known, name


@pytest.mark.parametrize("network", ["cam", "irn", "mask_rcnn", "deeplab"])
def test_a_training_is_affected_by_what_its_stage_reads(network):
    read = re.findall(rf"config\.({network}_\w+)", (ROOT / f"step/train_{network}.py").read_text())
    assert len(set(read)) > 6
    for name in set(read) - {f"{network}_weights_name", f"{network}_eval_steps"}:
        assert f"train_{network}" in SETTINGS[name].affects, name


def test_help_has_every_setting_and_says_what_it_accepts(capsys):
    words = " ".join(printed("--help", "all", capsys=capsys).split())
    assert all(f"--{name} " in words for name in SETTINGS)
    assert "flags override it (takes a path)" in words


def test_help_is_one_screen_and_of_a_group_its_flags(capsys):
    screen = printed("--help", capsys=capsys)
    assert len(screen.splitlines()) <= 40
    assert max(map(len, screen.splitlines())) <= 100
    for group in ("Data", "Label synthesis"):
        assert f"  {group}\n" in screen
    for word, flag, other in (
        ("label", "--ins_seg_score", "--labels"),
        ("beta", "--beta", "--seed"),
        ("--beta", "--beta", "--seed"),
        ("cam_batch", "--cam_batch_size", "--cam_crop_size"),
    ):
        page = printed("--help", word, capsys=capsys)
        assert f" {flag} " in page
        assert f" {other} " not in page


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--sweeep=beta=5", "--sweeep: unknown; did you mean --sweep? (see --help)"),
        (
            "--beta 5 6.5",
            "6.5: unknown; a flag begins with --, and its value is one word: separate numbers and "
            "names by commas, and quote a value with spaces (see --help)",
        ),
        ("--help zebra", "--help zebra: no group and no flag begins with it (see --help)"),
        ("--beta", "--beta: a value must follow it (see --help beta)"),
        (
            "--beta x",
            "--beta: 'x' is no float; accepted is a number above 0 (see --help beta)",
        ),
    ],
)
def test_words_that_are_not_understood_are_one_line_with_what_to_do(words, line, capsys):
    assert run_sample.main(words.split()) == 2
    assert capsys.readouterr().err == f"error: {line}\n"


def printed(*words, capsys):
    assert run_sample.main(list(words)) == 0
    return capsys.readouterr().out


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_the_page_of_flags_is_the_one_made_from_the_settings():
    """After a change of the settings, `make flags` writes it anew."""
    assert (ROOT / "docs" / "FLAGS.md").read_text() == page()


def test_help_and_a_mistaken_flag_are_answered_without_torch():
    """It takes seconds to import."""
    program = (
        "import sys, run_sample\n"
        "try: run_sample.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    for words in (["--help"], ["--seed", "x"]):
        command = [sys.executable, "-c", program, *words]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def test_a_crop_without_any_pair_is_refused():
    words = ["--voc12_root", "VOC2012", "--irn_crop_size"]
    assert read_config([*words, "80"]).irn_crop_size == 80
    with pytest.raises(ValueError, match=r"^--irn_crop_size 64: has no pair .* 80 or more"):
        read_config([*words, "64"])
