import tarfile

import numpy as np

from misc.files.labels import write_semantic_label
from voc12 import Dataset


def test_the_servers_archive_holds_one_list_alone_in_vocs_folders(voc_root, tmp_path):
    dataset = Dataset(voc_root)
    for image_id in "abc":
        label = np.full((4, 5), 3, np.uint8)
        write_semantic_label(tmp_path, image_id, label, palette=dataset.palette)
    archive = dataset.pack(tmp_path, ["c", "b"])
    assert archive == tmp_path / "results.tgz"
    with tarfile.open(archive) as packed:
        folder = "results/VOC2012/Segmentation/comp6_test_cls"
        assert packed.getnames() == [f"{folder}/b.png", f"{folder}/c.png"]
        inside = packed.extractfile(f"{folder}/b.png").read()
    assert inside == (tmp_path / "palette" / "b.png").read_bytes()
