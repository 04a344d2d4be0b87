import numpy as np

from misc.crf import crf_inference_labels
from misc.relation import relation_label


def scene():
    """A bright object on a dark ground, and an attention map that is sure inside, unsure around."""
    image = np.full((30, 40, 3), 20, dtype=np.uint8)
    image[8:22, 10:30] = 220
    cam = np.zeros((2, 30, 40), dtype=np.float32)
    cam[0, 4:26, 6:34] = 0.15
    cam[0, 8:22, 10:30] = 0.9
    return image, cam


def test_equals_the_two_refinements_written_out():
    image, cam = scene()
    cam += np.random.default_rng(0).random(cam.shape, dtype=np.float32) * 0.1
    keys = np.array([6, 14])
    refined = []
    for threshold in (0.30, 0.05):
        padded = np.pad(cam, ((1, 0), (0, 0), (0, 0)), constant_values=np.float32(threshold))
        refined += crf_inference_labels(image, [padded.argmax(axis=0)], num_labels=3)
    expected = np.full(image.shape[:2], 255)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            foreground, background = (labels[row, column] for labels in refined)
            if foreground:
                expected[row, column] = keys[foreground - 1] + 1
            elif not background:
                expected[row, column] = 0
    np.testing.assert_array_equal(relation_label(image, cam, keys), expected)
