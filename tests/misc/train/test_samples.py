import os

import numpy as np
import torch

from misc.imutils import normalize_crop
from misc.train.samples import (
    ClassificationSamples,
    DetectionSamples,
    RelationSamples,
    SegmentationSamples,
    load_batches,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
LABEL = (np.arange(30 * 40).reshape(30, 40) % 5).astype(np.uint8)


def read_image(image_id):
    return IMAGE


def read_label(image_id):
    return LABEL


def classification(**changes):
    options = {"ids": ["a"], "labels": np.eye(1, 3, dtype=np.float32), "read_image": read_image}
    return ClassificationSamples(**options, crop_size=64, resize_long=(20, 48), **changes)


def relation(label=read_label):
    return RelationSamples(ids=["a"], read_image=read_image, read_label=label, crop_size=64)


def test_the_long_side_is_resized_to_every_length_of_the_range():
    samples = classification()
    rng = np.random.default_rng(0)
    sides = set()
    for _ in range(300):
        image, (_, _, left, right), _ = samples.sample(0, rng)
        assert not image[..., :left].any()
        assert not image[..., right:].any()
        sides.add(int(right - left))
    assert sides == set(range(20, 49))


def test_a_relation_sample_has_its_label_on_the_stride_4_grid_255_outside():
    crop, extent, label = relation().sample(0, np.random.default_rng(0))
    image = normalize_crop(crop, torch.from_numpy(extent)).numpy()
    assert image.shape == (3, 64, 64)
    assert label.shape == (16, 16)
    assert set(np.unique(label)) == {0, 1, 2, 3, 4, 255}
    outside = ~image.any(axis=0)
    assert (label == 255).any()
    assert (label[outside[2::4, 2::4]] == 255).all()
    assert (label[~outside[2::4, 2::4]] != 255).all()


def test_a_detectors_sample_mirrors_image_boxes_and_masks_together():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    mask = np.zeros((1, 4, 6), bool)
    mask[0, 1:3, 4:6] = True
    samples = DetectionSamples(
        ids=["a"],
        read_image=lambda _: image,
        read_instances=lambda _: {"mask": mask, "class": np.array([3])},
    )
    seen = set()
    for seed in range(8):
        found, target = samples.sample(0, np.random.default_rng(seed))
        mirrored = target["boxes"].tolist() == [[0, 1, 2, 3]]
        seen.add(mirrored)
        assert mirrored or target["boxes"].tolist() == [[4, 1, 6, 3]]
        assert target["labels"].tolist() == [4]
        turn = slice(None, None, -1 if mirrored else 1)
        assert (target["masks"].numpy() == mask[..., turn]).all()
        assert (found.numpy() == image.transpose(2, 0, 1)[..., turn]).all()
    assert seen == {True, False}


def test_a_segmentation_sample_keeps_the_labels_of_every_pixel():
    samples = SegmentationSamples(
        ids=["a"],
        read_image=lambda _: np.zeros((30, 40, 3), np.uint8),
        read_label=lambda _: np.full((30, 40), 7, np.uint8),
        crop_size=64,
        remedy="",
    )
    crop, (top, bottom, left, right), label = samples.sample(0, np.random.default_rng(0))
    assert crop.shape == (3, 64, 64)
    assert (label[top:bottom, left:right] == 7).all()
    assert set(np.unique(label)) == {7, 255}


class Parents:
    collate = staticmethod(list)

    def __len__(self):
        return 2

    def sample(self, index, rng):
        return os.getppid()


def test_loader_processes_are_forked_from_this_one_whatever_the_default_is(forkserver):
    batches = load_batches(Parents(), 2, range(1), seed=0, num_workers=1)
    assert list(batches) == [[os.getpid()] * 2]
