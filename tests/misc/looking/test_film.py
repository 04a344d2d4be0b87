import io

import numpy as np
from PIL import Image, ImageSequence

from misc.looking.film import MOVES, encode_gif, film

IMAGE = np.full((40, 60, 3), 120, np.uint8)


def frames_of(cam):
    displacement = np.zeros((2, 10, 15), np.float32)
    displacement[1] = 7 - np.arange(15)
    boundary = np.zeros((10, 15), np.float32)
    boundary[:, 10] = 1.0
    return film(
        IMAGE, cam, boundary, displacement, small_displacement=2.5, beta=10, exp_times=3, width=120
    )


def test_points_gather_and_scores_spread_up_to_the_boundary():
    cam = np.zeros((1, 10, 15), np.float32)
    cam[0, 5, 3] = 1
    frames = frames_of(cam)
    first, last = frames[0].astype(int), frames[-1].astype(int)
    assert len(frames) > len(MOVES)
    points = [(frame[30:110, 10:130, 0] > 150).sum() for frame in (first, last)]
    assert points[1] < points[0] / 4
    scores = [frame[34:114, 140:260, 0] for frame in (first, last)]
    assert (scores[1][:, :70] - scores[0][:, :70]).max() > 60
    assert np.abs(scores[1][:, 95:] - scores[0][:, 95:]).max() < 5


def test_an_image_without_a_class_has_a_film():
    assert frames_of(np.zeros((0, 10, 15), np.float32))[0].shape[2] == 3


def test_a_gif_has_the_frames_and_repeats():
    frames = [np.full((8, 9, 3), value, np.uint8) for value in (0, 120, 250)]
    image = Image.open(io.BytesIO(encode_gif(frames)))
    pages = [np.asarray(page.convert("RGB")) for page in ImageSequence.Iterator(image)]
    assert len(pages) == 3
    assert image.info["loop"] == 0
    assert np.abs(pages[2].astype(int) - 250).max() < 8
