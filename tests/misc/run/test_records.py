import json
import os

import pytest

from misc.files.locks import release_all
from misc.run.records import (
    claim_folder,
    claim_weights,
    confirm_weights,
    read_settings,
)

SETTINGS = {"make_sem_seg_labels": {"beta": 10, "cam_scales": (1.0, 0.5)}}
FILES = ("{}.png", "palette/{}.png", "palette/legend.svg")


def changed(**settings):
    return {"make_sem_seg_labels": {**SETTINGS["make_sem_seg_labels"], **settings}}


def claim(folder, settings=SETTINGS, *, images=("a", "b"), **options):
    claim_folder(folder, settings, files=FILES, images=dict.fromkeys(images, ""), **options)


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def listing(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)) for path in files}


@pytest.fixture(autouse=True)
def released():
    """End every test as a run ends."""
    yield
    release_all()


@pytest.fixture
def made(tmp_path):
    """Give a folder that a stage filled."""
    claim(tmp_path / "out")
    write(tmp_path / "out", "a.png", "b.png", "palette/a.png", "palette/legend.svg")
    return tmp_path / "out"


def test_the_same_flag_of_two_stages_is_kept_apart(tmp_path):
    """Weights of bf16 are not taken for those of float32 because earlier CAMs were of float32."""
    stages = {"train_irn": {"precision": "bf16"}, "make_cam": {"precision": "fp32"}}
    claim_weights(tmp_path / "irn.pth", stages)
    write(tmp_path, "irn.pth")
    with pytest.raises(ValueError, match="--precision of train_irn was bf16, now it is fp32"):
        claim_weights(tmp_path / "irn.pth", stages | {"train_irn": {"precision": "fp32"}})


def test_results_are_continued_with_a_setting_that_is_newer_at_its_default(made):
    claim(made, changed(exp_times=8))
    release_all()
    with pytest.raises(ValueError, match="--exp_times of make_sem_seg_labels was not set"):
        claim(made, changed(exp_times=6))


def test_overwrite_leaves_the_users_files_in_our_folder(made):
    mine = {"notes.txt", "best.png", "palette/mine.png", "old/a.png", "a.npz"}
    write(made, *mine)
    claim(made, changed(beta=8), overwrite=True)
    assert listing(made) == mine | {"settings.json"}


def test_overwrite_replaces_the_images_of_every_run_that_wrote_there(made):
    claim(made, images=["c"])
    write(made, "c.png")
    (made / "a.png").unlink()  # by an overwrite that was killed
    claim(made, changed(beta=8), images=["d"], overwrite=True)
    assert listing(made) == {"settings.json"}
    assert not (made / "palette").exists()


@pytest.mark.parametrize("content", ["[]", '{"stages": {}}'])
def test_a_settings_file_of_another_program_does_not_make_a_folder_ours(tmp_path, content):
    write(tmp_path, "a.png")
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(ValueError, match="not made by this program"):
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
    record["images"] |= {"../precious": "", "": ""}
    (made / "settings.json").write_text(json.dumps(record))
    claim(made, changed(beta=8), overwrite=True)
    assert (tmp_path / "precious.png").exists()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    (tmp_path / "net.pth.checkpoint").write_bytes(b"state")
    with pytest.raises(ValueError, match=r"net\.pth\.checkpoint.*--beta"):
        claim_weights(tmp_path / "net.pth", changed(beta=8))


def test_weights_of_unknown_origin_are_not_overwritten(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"published weights")
    with pytest.raises(
        ValueError, match="use it as it is, or name another place, for example --run_dir runs/NAME"
    ):
        claim_weights(tmp_path / "net.pth", SETTINGS, overwrite=True)
    assert (tmp_path / "net.pth").read_bytes() == b"published weights"


def test_a_json_of_the_user_beside_the_weights_is_not_replaced(tmp_path):
    (tmp_path / "net.pth.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"net\.pth\.json: not made by this program"):
        claim_weights(tmp_path / "net.pth", SETTINGS, overwrite=True)


def test_the_users_hidden_files_beside_weights_stay(tmp_path):
    write(tmp_path, ".mine.old.tmp", ".net.pth.x1.tmp")
    for name in (".mine.old.tmp", ".net.pth.x1.tmp"):
        os.utime(tmp_path / name, (0, 0))
    claim_weights(tmp_path / "net.pth", SETTINGS)
    assert listing(tmp_path) == {".mine.old.tmp", "net.pth.json"}


@pytest.mark.parametrize("was", ["9.2.0", "0.2.0", ""])
def test_results_of_another_version_are_refused_by_name_and_not_replaced(made, was):
    record = json.loads((made / "settings.json").read_text())
    (made / "settings.json").write_text(json.dumps(record | {"version": was}))
    for use in (lambda: claim(made, overwrite=True), lambda: read_settings(made)):
        with pytest.raises(ValueError, match=f"made by version {was} of this program, this is"):
            use()
    assert (made / "a.png").exists()


@pytest.mark.parametrize("image_id", ["a\\b", "ünïcode", "[x]*", "{", "a\nb"])
def test_an_image_of_any_name_is_removed_as_it_was_written(tmp_path, image_id):
    claim(tmp_path / "out", images=[image_id])
    write(tmp_path / "out", f"{image_id}.png", f"palette/{image_id}.png")
    claim(tmp_path / "out", changed(beta=8), images=["c"], overwrite=True)
    assert listing(tmp_path / "out") == {"settings.json"}


def test_what_an_earlier_run_wrote_goes_by_its_own_description(made):
    claim_folder(made, SETTINGS, files=("results/{}_*.png",), images={"a": ""})
    write(made, "results/a_0.png", "results/a_12.png", "results/mine_0.png", "results/a_x.png")
    claim(made, changed(beta=8), overwrite=True)
    assert listing(made) == {"settings.json", "results/mine_0.png", "results/a_x.png"}


def test_weights_that_another_run_has_claimed_in_between_are_not_written(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    claim_weights(tmp_path / "net.pth", changed(beta=8), overwrite=True)
    with pytest.raises(ValueError, match="another run has claimed it"):
        confirm_weights(tmp_path / "net.pth", SETTINGS)
