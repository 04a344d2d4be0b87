from unittest import mock

import pytest
import torch

from benchmarks.gpu import Sizes, gpu_table
from tests.tiny_networks import backbone, tiny_detector_and_deeplab

SMALL = Sizes(
    image=(30, 40),
    crop=32,
    batch=2,
    scales=(1.0,),
    repeats=1,
    warmup=0,
    detector=(64, 64),
    detector_batch=1,
    segmentation_crop=33,
    segmentation_batch=2,
)


def rows(device, precisions):
    lines = gpu_table(torch.device(device), SMALL, precisions).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_gpu_table_measures_every_row_in_each_precision():
    with (
        mock.patch("net.resnet50_cam.build_backbone", backbone),
        mock.patch("net.resnet50_irn.build_backbone", backbone),
        tiny_detector_and_deeplab(),
    ):
        heading, _, *found = rows("cpu", ("bf16",))
    assert heading == ["what", "bf16, ms", "GB"]
    assert [row[0] for row in found] == [
        "make_cam, four scales",
        "IRNet's fields",
        "random walk, 3 maps",
        "random walk, 20 maps",
        "train_cam, a step",
        "train_irn, a step",
        "train_mask_rcnn, a step",
        "train_deeplab, a step",
    ]
    assert all(float(value) > 0 for row in found for value in row[1::2])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_table_is_measured_on_a_gpu():
    assert len(rows("cuda", ("fp32", "tf32", "bf16"))) == 10
