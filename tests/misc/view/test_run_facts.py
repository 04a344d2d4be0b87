import pytest

from misc.evaluate.measures import record
from misc.run.provenance import claim_folder, claim_weights
from misc.settings.flags import defaults, read_config
from misc.view.run_facts import changed_settings, measure_rows

STAGES = ("train_cam", "eval_cam", "eval_ins_seg", "eval_sem_seg")


@pytest.fixture
def config(tmp_path):
    words = ["--metrics_file", str(tmp_path / "m.jsonl"), "--details_dir", str(tmp_path / "d")]
    return read_config(words)


def measured(config, stage, measure, value, **options):
    options = {"split": "train", **options}
    record(config.metrics_file, stage=stage, measures={measure: value}, **options)


def test_a_measure_stands_beside_the_published_one(config):
    measured(config, "eval_sem_seg", "mIoU", 0.66, published={"mIoU": 0.665})
    assert measure_rows(config, STAGES)[-1][2:] == ("mIoU", "train", "0.6600", "0.665")


def test_a_networks_measure_names_the_labels_that_it_was_trained_on(config):
    for value, name in ((0.5, "irn"), (0.25, "cam")):
        measured(config, "eval_deeplab", "mIoU", value, split="val", supervision=name)
    rows = measure_rows(config, STAGES)
    names = [("mIoU", "val", "0.5000"), ("mIoU (cam)", "val", "0.2500")]
    assert [row[2:5] for row in rows] == names


def test_a_measure_without_a_value_is_a_dash(config):
    measured(config, "eval_ins_seg", "AP50", float("nan"))
    assert measure_rows(config, STAGES)[0][4] == "–"


def test_settings_of_flags_and_of_files_are_told_and_places_are_not(tmp_path):
    labels = {"beta": 8.0, "precision": "bf16", "data_root": "demo data", "seed": 0}
    claim_folder(tmp_path / "sem", {"make_sem_seg_labels": labels}, files=(), images=())
    training = {"irn_num_epoches": 3, "train_list": "6 images"}
    claim_weights(tmp_path / "a.pth", {"train_irn": training})
    flags = {
        "run_dir": tmp_path / "elsewhere",
        "sem_seg_out_dir": tmp_path / "sem",
        "irn_weights_name": tmp_path / "a.pth",
        "conf_fg_thres": 0.4,
        "report_images": 3,
        "report_pass": True,
    }
    config = read_config([w for name, v in flags.items() for w in (f"--{name}", str(v))])
    assert changed_settings(config) == [
        ("--conf_fg_thres", "0.3", "0.4", ""),
        ("--irn_num_epoches", str(defaults("demo")["irn_num_epoches"]), "3", "train_irn"),
        ("--beta", "10", "8.0", "make_sem_seg_labels"),
    ]


def test_what_a_folder_says_shaped_it_counts_more_than_a_flag(tmp_path):
    shaped = {"make_sem_seg_labels": {"beta": 8.0}}
    claim_folder(tmp_path / "sem", shaped, files=(), images=())
    words = ["--run_dir", str(tmp_path / "elsewhere"), "--sem_seg_out_dir", str(tmp_path / "sem")]
    config = read_config([*words, "--beta", "5"])
    assert changed_settings(config) == [("--beta", "10", "8.0", "make_sem_seg_labels")]


def test_a_flag_with_which_stages_differ_is_told_for_each_of_them(tmp_path):
    shaped = {"make_sem_seg_labels": {"seed": 2, "beta": 8.0}, "make_cam": {"seed": 1}}
    claim_folder(tmp_path / "sem", shaped, files=(), images=())
    claim_weights(tmp_path / "a.pth", {"train_irn": {"seed": 0}})
    words = ["--run_dir", str(tmp_path / "elsewhere"), "--sem_seg_out_dir", str(tmp_path / "sem")]
    config = read_config([*words, "--irn_weights_name", str(tmp_path / "a.pth")])
    assert changed_settings(config) == [
        ("--seed", "0", "2", "make_sem_seg_labels"),
        ("--seed", "0", "1", "make_cam"),
        ("--beta", "10", "8.0", "make_sem_seg_labels"),
    ]
