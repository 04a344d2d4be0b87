import pytest

from misc.provenance import claim_folder, claim_weights, fingerprint, read_settings

SETTINGS = {"beta": 10, "cam_scales": (1.0, 0.5)}


def test_a_folder_is_continued_with_the_same_settings(tmp_path):
    claim_folder(tmp_path / "out", SETTINGS)
    (tmp_path / "out" / "a.png").write_text("label")
    claim_folder(tmp_path / "out", SETTINGS)
    assert (tmp_path / "out" / "a.png").exists()
    assert read_settings(tmp_path / "out") == {"beta": 10, "cam_scales": [1.0, 0.5]}


def test_other_settings_are_refused_by_flag_and_both_values(tmp_path):
    claim_folder(tmp_path / "out", SETTINGS)
    with pytest.raises(ValueError, match=r"--beta was 10, now it is 8; pass --overwrite True"):
        claim_folder(tmp_path / "out", SETTINGS | {"beta": 8})


def test_overwrite_replaces_what_was_made_with_other_settings(tmp_path):
    claim_folder(tmp_path / "out", SETTINGS)
    (tmp_path / "out" / "a.png").write_text("label")
    claim_folder(tmp_path / "out", SETTINGS | {"beta": 8}, overwrite=True)
    assert not (tmp_path / "out" / "a.png").exists()


def test_a_folder_of_unknown_origin_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="not made by this program"):
        claim_folder(tmp_path, SETTINGS)


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
    with pytest.raises(ValueError, match=r"--beta was 10, now it is 8"):
        claim_weights(path, SETTINGS | {"beta": 8})
    assert not claim_weights(path, SETTINGS | {"beta": 8}, overwrite=True)
    assert not path.exists()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    (tmp_path / "net.checkpoint").write_bytes(b"state")
    with pytest.raises(ValueError, match=r"net\.checkpoint.*--beta"):
        claim_weights(tmp_path / "net.pth", SETTINGS | {"beta": 8})


def test_weights_of_unknown_origin_are_not_overwritten(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"published weights")
    with pytest.raises(ValueError, match="switch its stage off to use it as it is"):
        claim_weights(tmp_path / "net.pth", SETTINGS)


def test_the_fingerprint_follows_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "b")


def test_a_folder_whose_claim_was_killed_can_be_claimed_again(tmp_path):
    (tmp_path / ".settings.json.x.tmp").write_text("{")
    claim_folder(tmp_path, SETTINGS)
    assert read_settings(tmp_path) is not None


def test_the_checkpoint_of_finished_weights_is_deleted(tmp_path):
    claim_weights(tmp_path / "net.pth", SETTINGS)
    for name in ("net.pth", "net.checkpoint"):
        (tmp_path / name).write_bytes(b"")
    assert claim_weights(tmp_path / "net.pth", SETTINGS)
    assert not (tmp_path / "net.checkpoint").exists()
