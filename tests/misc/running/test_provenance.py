import json
import os

import pytest

from misc.running.provenance import (
    claim_folder,
    claim_weights,
    fingerprint,
    read_note,
    read_settings,
    remove_outputs,
    write_note,
)
from misc.settings import version

SETTINGS = {"make_sem_seg_labels": {"beta": 10, "cam_scales": (1.0, 0.5)}}
FILES = ("{}.png", "palette/{}.png", "palette/legend.svg")


def changed(**settings):
    return {"make_sem_seg_labels": {**SETTINGS["make_sem_seg_labels"], **settings}}


def claim(folder, settings=SETTINGS, *, images=("a", "b"), **options):
    claim_folder(folder, settings, files=FILES, images=images, **options)


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def listing(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(tmp_path):
    """Give a folder that a stage filled."""
    claim(tmp_path / "out")
    write(tmp_path / "out", "a.png", "b.png", "palette/a.png", "palette/legend.svg")
    return tmp_path / "out"


def test_a_folder_is_continued_with_the_same_settings(made):
    claim(made)
    assert (made / "a.png").exists()
    assert read_settings(made) == {"make_sem_seg_labels": {"beta": 10, "cam_scales": [1.0, 0.5]}}


def test_other_settings_are_refused_by_flag_stage_and_both_values(made):
    words = r"--beta of make_sem_seg_labels was 10, now it is 8; pass --overwrite True"
    with pytest.raises(ValueError, match=words):
        claim(made, changed(beta=8))
    assert (made / "a.png").exists()


def test_other_images_or_labels_of_a_folder_are_called_so(tmp_path):
    claim(tmp_path / "out", {"make_cam": {"data_root": "folder, 9 images, digest 1"}})
    write(tmp_path / "out", "a.png")
    words = (
        "the images or labels of --data_root, which make_cam read, were folder, 9 images, digest "
        "1, now they are folder, 9 images, digest 2; pass --overwrite"
    )
    with pytest.raises(ValueError, match=words):
        claim(tmp_path / "out", {"make_cam": {"data_root": "folder, 9 images, digest 2"}})


def test_predictions_are_of_no_stage_that_could_be_switched_off(tmp_path):
    before, now = ({"predict irn": {"predict_score": score}} for score in (0.5, 0.9))
    write(tmp_path / "theirs", "a.png")
    claim(tmp_path / "ours", before)
    write(tmp_path / "ours", "a.png")
    for folder in ("theirs", "ours"):
        with pytest.raises(ValueError, match="name another --predict_dir") as caught:
            claim(tmp_path / folder, now)
        assert "stage off" not in str(caught.value)


def test_the_same_flag_of_two_stages_is_kept_apart(tmp_path):
    """Weights of bf16 are not taken for those of float32 because earlier CAMs were of float32."""
    before = {"make_cam": {"precision": "fp32"}}
    claim_weights(tmp_path / "irn.pth", {"train_irn": {"precision": "bf16"}, **before})
    write(tmp_path, "irn.pth")
    assert claim_weights(tmp_path / "irn.pth", {"train_irn": {"precision": "bf16"}, **before})
    with pytest.raises(ValueError, match="--precision of train_irn was bf16, now it is fp32"):
        claim_weights(tmp_path / "irn.pth", {"train_irn": {"precision": "fp32"}, **before})
    before = {"make_cam": {"precision": "bf16"}}
    with pytest.raises(ValueError, match="--precision of make_cam was fp32, now it is bf16"):
        claim_weights(tmp_path / "irn.pth", {"train_irn": {"precision": "bf16"}, **before})


def test_overwrite_replaces_what_was_made_with_other_settings(made):
    claim(made, changed(beta=8), images=["c"], overwrite=True)
    assert listing(made) == {"settings.json"}
    assert not (made / "palette").exists()


def test_overwrite_leaves_the_users_files_in_our_folder(made):
    mine = {"notes.txt", "best.png", "palette/mine.png", "old/a.png", "a.npz"}
    write(made, *mine)
    claim(made, changed(beta=8), overwrite=True)
    assert listing(made) == mine | {"settings.json"}


def test_overwrite_replaces_the_images_of_every_run_that_wrote_there(made):
    claim(made, images=["c"])
    write(made, "c.png")
    claim(made, changed(beta=8), images=["d"], overwrite=True)
    assert listing(made) == {"settings.json"}


def test_an_overwrite_that_was_killed_can_be_given_again(made):
    (made / "a.png").unlink()
    claim(made, changed(beta=8), overwrite=True)
    assert listing(made) == {"settings.json"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_unknown_origin_is_not_touched(tmp_path, overwrite):
    write(tmp_path, "mine.txt", "a.png", "photos/b.png")
    with pytest.raises(ValueError, match=r"holds a\.png and no settings\.json of this program"):
        claim(tmp_path, overwrite=overwrite)
    assert listing(tmp_path) == {"mine.txt", "a.png", "photos/b.png"}


@pytest.mark.parametrize("content", ["{}", "[]", '{"editor.fontSize": 12}', '{"stages": {}}'])
def test_a_settings_file_of_another_program_does_not_make_a_folder_ours(tmp_path, content):
    write(tmp_path, "a.png")
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(ValueError, match="not made by this program and is not replaced"):
        claim(tmp_path, overwrite=True)
    assert (tmp_path / "settings.json").read_text() == content


def test_a_claimed_folder_without_results_is_taken_without_overwrite(tmp_path):
    """A stage that failed before its first image leaves what claiming writes."""
    claim(tmp_path / "out")
    write(tmp_path / "out", "palette/legend.svg")
    claim(tmp_path / "out", changed(beta=8), images=["c"])
    assert read_settings(tmp_path / "out") == changed(beta=8) | {
        "make_sem_seg_labels": {"beta": 8, "cam_scales": [1.0, 0.5]}
    }
    write(tmp_path / "out", "c.png")
    with pytest.raises(ValueError, match="pass --overwrite True"):
        claim(tmp_path / "out")


def test_a_folder_of_another_stage_is_not_replaced(made):
    with pytest.raises(ValueError, match="made by the stage make_sem_seg_labels, and make_cam"):
        claim(made, {"make_cam": {}}, overwrite=True)
    assert (made / "a.png").exists()


def test_ids_that_lead_out_of_the_folder_are_not_followed(made, tmp_path):
    write(tmp_path, "precious.png")
    record = json.loads((made / "settings.json").read_text())
    record["images"] += ["../precious", "", 3]
    (made / "settings.json").write_text(json.dumps(record))
    claim(made, changed(beta=8), overwrite=True)
    assert (tmp_path / "precious.png").exists()


def test_outputs_of_some_images_are_removed_and_folders_that_are_then_empty(tmp_path):
    write(tmp_path, "deep/er/a.png", "deep/er/b.png")
    remove_outputs(tmp_path, ["deep/er/{}.png"], ["a"])
    assert listing(tmp_path) == {"deep/er/b.png"}
    remove_outputs(tmp_path, ["deep/er/{}.png"], ["b"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("was", ["9.2.0", "0.3.0", ""])
def test_results_of_another_version_are_refused_by_name(made, was):
    record = json.loads((made / "settings.json").read_text())
    (made / "settings.json").write_text(json.dumps(record | {"version": was}))
    with pytest.raises(ValueError, match=f"made by version {was} of this program, this is"):
        claim(made)
    with pytest.raises(ValueError, match="make it again, or name another place"):
        read_settings(made)
    claim(made, overwrite=True)
    assert listing(made) == {"settings.json"}


def test_results_of_a_version_with_other_last_number_are_continued_and_told(made, caplog):
    other = f"{version.VERSION.rpartition('.')[0]}.99"
    record = json.loads((made / "settings.json").read_text())
    (made / "settings.json").write_text(json.dumps(record | {"version": other}))
    with caplog.at_level("INFO", logger="irnet"):
        claim(made)
    assert f"version {other}" in caplog.text


@pytest.mark.parametrize("overwrite", [False, True])
def test_settings_of_the_first_version_are_refused_in_one_line(tmp_path, overwrite):
    flat = json.dumps({"voc12_root": "VOC2012", "beta": 10})
    write(tmp_path, "out/a.png", "net.pth")
    (tmp_path / "out" / "settings.json").write_text(flat)
    (tmp_path / "net.pth.json").write_text(flat)
    with pytest.raises(ValueError, match=r"settings.json: written by version 0.1 .* move them"):
        claim(tmp_path / "out", overwrite=overwrite)
    with pytest.raises(ValueError, match=r"net.pth.json: written by version 0.1"):
        claim_weights(tmp_path / "net.pth", SETTINGS, overwrite=overwrite)
    assert (tmp_path / "out" / "a.png").exists()
    assert (tmp_path / "net.pth").exists()


def test_weights_are_finished_once_they_are_there(tmp_path):
    path = tmp_path / "net.pth"
    assert not claim_weights(path, SETTINGS)
    assert not claim_weights(path, SETTINGS)
    path.write_bytes(b"weights")
    assert claim_weights(path, SETTINGS)


def test_weights_of_other_settings_are_refused_or_replaced(tmp_path):
    path = tmp_path / "net.pth"
    claim_weights(path, SETTINGS)
    path.write_bytes(b"weights")
    with pytest.raises(ValueError, match="--beta of make_sem_seg_labels was 10, now it is 8"):
        claim_weights(path, changed(beta=8))
    assert not claim_weights(path, changed(beta=8), overwrite=True)
    assert not path.exists()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    (tmp_path / "net.pth.checkpoint").write_bytes(b"state")
    with pytest.raises(ValueError, match=r"net\.pth\.checkpoint.*--beta"):
        claim_weights(tmp_path / "net.pth", changed(beta=8))


@pytest.mark.parametrize("overwrite", [False, True])
def test_weights_of_unknown_origin_are_not_overwritten(tmp_path, overwrite):
    (tmp_path / "net.pth").write_bytes(b"published weights")
    with pytest.raises(ValueError, match="switch its stage off to use it as it is"):
        claim_weights(tmp_path / "net.pth", SETTINGS, overwrite=overwrite)
    assert (tmp_path / "net.pth").read_bytes() == b"published weights"


def test_weights_of_another_stage_are_not_replaced(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    (tmp_path / "net.pth").write_bytes(b"weights")
    with pytest.raises(ValueError, match="made by the stage make_sem_seg_labels"):
        claim_weights(tmp_path / "net.pth", {"train_cam": {}}, overwrite=True)


def test_a_json_of_the_user_beside_the_weights_is_not_replaced(tmp_path):
    (tmp_path / "net.pth.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"net\.pth\.json: not made by this program"):
        claim_weights(tmp_path / "net.pth", SETTINGS, overwrite=True)


@pytest.mark.parametrize("name", ["foo", "res50.v1", "a.b.c", ".hidden", "[x]*.pth", "ünïcode net"])
def test_weights_of_any_name_are_kept_apart_from_others(tmp_path, name):
    for path in (tmp_path / name, tmp_path / f"{name}.pth", tmp_path / "res50.v2"):
        assert not claim_weights(path, changed(beta=path.name))
        path.write_bytes(b"weights")
        assert claim_weights(path, changed(beta=path.name))
        assert read_settings(path)["make_sem_seg_labels"]["beta"] == path.name


def test_a_folder_whose_name_has_a_dot_keeps_its_settings_inside(tmp_path):
    claim(tmp_path / "run.v1")
    assert read_settings(tmp_path / "run.v1") is not None
    assert list(tmp_path.iterdir()) == [tmp_path / "run.v1"]


def test_the_users_hidden_files_beside_weights_stay(tmp_path):
    write(tmp_path, ".mine.old.tmp", ".net.pth.x1.tmp")
    for name in (".mine.old.tmp", ".net.pth.x1.tmp"):
        os.utime(tmp_path / name, (0, 0))
    claim_weights(tmp_path / "net.pth", SETTINGS)
    assert listing(tmp_path) == {".mine.old.tmp", "net.pth.json"}


def test_a_note_is_beside_the_weights_and_changes_nothing_of_the_claim(tmp_path):
    path = tmp_path / "net.pth"
    claim_weights(path, SETTINGS)
    assert read_note(path, "mean") is None
    write_note(path, "mean", {"infer_list": "x"})
    path.write_bytes(b"weights")
    assert claim_weights(path, SETTINGS)
    assert read_note(path, "mean") == {"infer_list": "x"}
    write_note(path, "mean", None)
    assert read_note(path, "mean") is None


def test_the_fingerprint_follows_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "b")


def test_a_folder_whose_claim_was_killed_can_be_claimed_again(tmp_path):
    (tmp_path / ".settings.json.x.tmp").write_text("{")
    claim(tmp_path)
    assert read_settings(tmp_path) is not None


def test_the_checkpoint_of_finished_weights_is_deleted(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    for name in ("net.pth", "net.pth.checkpoint"):
        (tmp_path / name).write_bytes(b"")
    assert claim_weights(tmp_path / "net.pth", SETTINGS)
    assert not (tmp_path / "net.pth.checkpoint").exists()
