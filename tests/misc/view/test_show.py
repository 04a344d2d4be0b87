import numpy as np
import pytest

from misc.view import show

IMAGE = np.full((40, 60, 3), 120, np.uint8)


@pytest.fixture(autouse=True)
def of_two_frames(monkeypatch):
    monkeypatch.setattr(show, "MOVES", (0, 300))


def frames_of(cam):
    displacement = np.zeros((2, 10, 15), np.float32)
    displacement[1] = 7 - np.arange(15)
    boundary = np.zeros((10, 15), np.float32)
    boundary[:, 10] = 1.0
    settings = {"small_displacement": 2.5, "radius": 5, "beta": 10, "exp_times": 3}
    return [np.asarray(f) for f in show.film(IMAGE, cam, boundary, displacement, **settings)]


def test_points_gather_and_scores_spread_up_to_the_boundary():
    cam = np.zeros((1, 10, 15), np.float32)
    cam[0, 5, 3] = 1
    frames = frames_of(cam)
    first, last = (frame[30:-10].astype(int) for frame in frames)
    half = first.shape[1] // 2
    points = [(frame[:, 10 : half - 10, 0] > 150).sum() for frame in (first, last)]
    assert points[1] < points[0] / 4
    # The boundary is two thirds to the right.
    changed = np.abs(last - first)[:, half + 10 : -10].max(axis=2)
    assert changed[:, : half // 2].max() > 60
    assert changed[:, 3 * half // 4 :].max() < 5


def test_an_image_without_a_class_has_a_film():
    assert frames_of(np.zeros((0, 10, 15), np.float32))[0].shape[2] == 3
