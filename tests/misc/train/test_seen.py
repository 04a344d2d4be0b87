import time

import pytest

from misc.files.locks import release_all
from misc.run.provenance import claim_weights
from misc.train.seen import training_images, warn_of_seen


class Folder:
    def __init__(self, root):
        self.root = root

    def image_path(self, image_id):
        return self.root / f"{image_id}.png"


@pytest.fixture
def data(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(b"x" * (number + 1))
    yield Folder(tmp_path)
    release_all()


def note(data, ids):
    settings = {"train_deeplab": {"seed": 0}}
    claim_weights(data.root / "w.pth", settings, notes=training_images(data, ids))


def warned(data, ids, caplog):
    caplog.clear()
    warn_of_seen(data.root / "w.pth", data, ids, source="--val_list val")
    return [record.getMessage() for record in caplog.records]


def test_images_of_the_same_name_and_another_size_are_others(data, caplog):
    note(data, ["0", "1"])
    (data.root / "0.png").write_bytes(b"another")
    assert warned(data, ["0"], caplog) == []
    assert len(warned(data, ["0", "1"], caplog)) == 1


def test_120_000_images_cost_little(data, caplog):
    ids = [f"COCO_train2014_{number:012}" for number in range(120_000)]
    start = time.process_time()
    note(data, ids)
    assert len(warned(data, ids[:1000], caplog)) == 1
    assert time.process_time() - start < 20
