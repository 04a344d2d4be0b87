import time

import pytest

from misc.learning.seen import note_seen, seen_path, warn_of_seen
from misc.running.plan import Truths


class Folder:
    def __init__(self, root):
        self.root = root

    def image_path(self, image_id):
        return self.root / f"{image_id}.png"


@pytest.fixture
def data(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(b"x" * (number + 1))
    return Folder(tmp_path)


def warned(data, ids, caplog):
    caplog.clear()
    truths = Truths(flag="val_list", name="val", ids=ids, kinds=["semantic"])
    warn_of_seen(data.root / "w.pth", data, truths)
    return [record.getMessage() for record in caplog.records]


def test_measured_images_that_were_trained_on_are_warned_of_in_one_line(data, caplog):
    note_seen(data.root / "w.pth", data, ["0", "1", "2"], again=True)
    assert warned(data, ["3", "4", "5"], caplog) == []
    (line,) = warned(data, ["1", "2", "3", "4"], caplog)
    assert line.startswith("2 of 4 images of --val_list val were trained on (")
    assert line.endswith("w.pth): the measures are not of unseen images")


def test_images_of_the_same_name_and_another_size_are_others(data, caplog):
    note_seen(data.root / "w.pth", data, ["0", "1"], again=True)
    (data.root / "0.png").write_bytes(b"another")
    assert warned(data, ["0"], caplog) == []
    assert len(warned(data, ["0", "1"], caplog)) == 1


def test_images_without_a_file_are_known_by_their_ids(data, caplog):
    note_seen(data.root / "w.pth", data, ["drawn"], again=True)
    assert len(warned(data, ["drawn", "0"], caplog)) == 1


def test_weights_without_a_list_or_with_a_broken_one_are_not_warned_of(data, caplog):
    assert warned(data, ["0"], caplog) == []
    seen_path(data.root / "w.pth").write_bytes(b"\xff\x00\n\n0")
    assert warned(data, ["0", "1"], caplog) == []


def test_120_000_images_cost_little(data, caplog):
    ids = [f"COCO_train2014_{number:012}" for number in range(120_000)]
    start = time.process_time()
    note_seen(data.root / "w.pth", data, ids, again=True)
    assert len(warned(data, ids[:1000], caplog)) == 1
    assert time.process_time() - start < 20
    assert seen_path(data.root / "w.pth").stat().st_size < 4e6
