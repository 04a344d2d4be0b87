"""An image's labels, out of given fields and CAMs, for the settings of the label stages."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

import run_sample
from misc.indexing import propagate_to_edge
from misc.instances import upsample_scores
from misc.run.synthesis import Inputs, LabelSettings, ScoreSettings, synthesise
from misc.run.workers import map_images
from misc.settings.flags import read_config

SIZE, GRID = (48, 80), (12, 20)
WALK = ScoreSettings(radius=5, beta=10, exp_times=3)
SPLIT = replace(WALK, small_displacement=1.0)


def labels_of(fields, cam, settings, *, image=None, keys=None):
    """Give an image's labels at these settings."""
    image = torch.zeros(3, *SIZE, dtype=torch.uint8) if image is None else image
    keys = np.arange(len(cam)) if keys is None else keys
    inputs = Inputs(image=image, cam=cam, keys=keys)
    way = synthesise(fields, inputs, settings, finish=list)
    ((_, labels),) = map_images(["a"], lambda image_id: None, process=lambda *_: way)
    return labels


@pytest.fixture
def fields():
    """Give a boundary in the middle, and displacements to a centre on either side."""
    boundary = torch.zeros(1, *GRID)
    boundary[:, :, 10] = 0.9
    displacement = torch.zeros(2, *GRID)
    displacement[0] = 5 - torch.arange(12.0)[:, None]
    displacement[1] = torch.where(torch.arange(20) < 10, 4, 15) - torch.arange(20.0)
    return boundary, displacement


def test_a_refined_instance_keeps_its_own_score(fields):
    """The CRF moves the border of a weak instance into its strong neighbour's pixels."""
    cam = torch.ones(1, *GRID)
    cam[:, :, 10:] = 0.45
    image = torch.zeros(3, *SIZE, dtype=torch.uint8)
    image[2], image[0, :, 36:] = 200, 220  # the edge lies to the left of the border at 40
    plain = LabelSettings(kind="instance", scores=SPLIT, background=0.25)
    found, refined = labels_of(fields, cam, [plain, replace(plain, crf="torch")], image=image)
    assert len(found["score"]) == len(refined["score"]) == 2
    assert (found["mask"] != refined["mask"]).any(axis=(1, 2)).all()
    halves = torch.stack([cam[0] * (torch.arange(20) < 10), cam[0] * (torch.arange(20) >= 10)])
    scores = upsample_scores(propagate_to_edge(halves, fields[0], 5, 10, 3), SIZE).numpy()
    for label in (found, refined):
        expected = [own[mask].max() for own, mask in zip(scores, label["mask"], strict=True)]
        assert label["score"].tolist() == expected
    assert refined["score"].min() < 0.7


@pytest.mark.parametrize(("radius", "beta", "exp_times"), [(3, 10, 3), (5, 2, 3), (5, 10, 1)])
def test_a_walk_has_its_own_radius_power_and_steps(fields, radius, beta, exp_times):
    cam = torch.rand(2, *GRID, generator=torch.Generator().manual_seed(0))
    scores = ScoreSettings(power=2, radius=radius, beta=beta, exp_times=exp_times)
    walked = propagate_to_edge(cam**2, fields[0], radius, beta, exp_times)
    large = upsample_scores(walked, SIZE).numpy()
    one = LabelSettings(kind="semantic", scores=scores, background=0.2)
    (label,) = labels_of(fields, cam, [one])
    floor = np.full((1, *SIZE), 0.2, np.float32)
    assert (label == np.concatenate([floor, large]).argmax(axis=0)).all()


def test_without_walk_and_split_instances_are_the_cams_components_whatever_the_fields(fields):
    cam = torch.zeros(2, *GRID)
    cam[0, 2:6, 2:6], cam[1, 2:10, 12:18] = 1, 0.5
    one = LabelSettings(kind="instance", scores=ScoreSettings(), background=0.3)
    (found,) = labels_of(fields, cam, [one], keys=np.array([3, 7]))
    assert found["class"].tolist() == [3, 7]
    assert found["score"].tolist() == pytest.approx([1, 0.5])
    (again,) = labels_of((fields[0] * 0, fields[1] * 0), cam, [one], keys=np.array([3, 7]))
    np.testing.assert_equal(found, again)


def test_without_a_walk_the_background_is_one_minus_the_largest_cam_to_its_power(fields):
    """0.4 is more than (1 - 0.4)² = 0.36, and less than 1 - 0.4: each pixel alone decides."""
    cam = torch.zeros(2, *GRID)
    cam[0, :, :8], cam[1, :, 12:] = 0.4, 0.3
    for power, labels in ((2, [1, 0, 0]), (1, [0, 0, 0]), (4, [1, 0, 2])):
        scores = ScoreSettings(background_power=power)
        one = LabelSettings(kind="semantic", scores=scores, background=0)
        (label,) = labels_of(fields, cam, [one])
        assert label[20, [8, 40, 72]].tolist() == labels


def test_the_background_walks_with_the_classes_and_instances(fields):
    cam = torch.rand(2, *GRID, generator=torch.Generator().manual_seed(0))
    for settings, kind in ((WALK, "semantic"), (SPLIT, "instance")):
        scores = replace(settings, background_power=1.5)
        one = LabelSettings(kind=kind, scores=scores, background=0, min_area=0)
        (found,) = labels_of(fields, cam, [one])
        maps = cam
        if kind == "instance":
            left = (torch.arange(20) < 10).float()
            maps = torch.stack(
                [cam[0] * left, cam[0] * (1 - left), cam[1] * left, cam[1] * (1 - left)]
            )
        seeds = torch.cat([(1 - cam.amax(0, keepdim=True)) ** 1.5, maps])
        walked = functional.interpolate(
            propagate_to_edge(seeds, fields[0], 5, 10, 3), scale_factor=4, mode="bilinear"
        )[:, 0]
        winner = walked.argmax(dim=0).numpy()
        if kind == "semantic":
            np.testing.assert_array_equal(found, winner)
            continue
        assert found["mask"].any(axis=0).tolist() == (winner > 0).tolist()
        peak = walked[1:].amax().item()
        best = walked.amax(dim=0).numpy() / peak
        expected = [best[mask].max() for mask in found["mask"]]
        np.testing.assert_allclose(found["score"], expected, rtol=1e-5)


def test_a_background_that_walks_takes_the_place_of_a_given_background_score(capsys):
    assert run_sample.main(["--walk_background", "8", "--sem_seg_bg_thres", "0.3"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: --sem_seg_bg_thres 0.3: --walk_background 8.0 takes its place")
    grid = "sem_seg_bg_thres=0.2,0.3"
    assert run_sample.main(["--walk_background", "8", "--sweep", grid]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --sweep {grid}: --walk_background 8.0 takes its place")


def test_photographs_of_many_kinds_have_settings_that_suit_them():
    for score, datasets in (("peak", ("voc12", "cityscapes")), ("mean", ("coco14", "folder"))):
        for name in datasets:
            assert read_config(["--dataset", name, "--data_root", "x"]).ins_seg_score == score
    for method, power in (("cam", 8), ("recam", 0), ("lpcam", 0), ("advcam", 0)):
        config = read_config(["--dataset", "folder", "--data_root", "x", "--cam_method", method])
        found = config.walk_background, config.beta, config.ins_seg_min_area
        assert found == (power, 20, 0.002)
