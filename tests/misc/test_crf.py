import builtins
import sys

import numpy as np
import pytest

from misc.crf import crf_inference_labels, crf_inference_probabilities, label_energy


def two_tone_image(height=24, width=32):
    """Dark left half, bright right half, a little noise."""
    image = np.zeros((height, width, 3))
    image[:, width // 2 :] = 200
    image += np.random.default_rng(0).integers(0, 8, image.shape)
    return image.astype(np.uint8)


def energy_by_definition(label_map, num_labels, gt_prob):
    energy = np.empty((num_labels, *label_map.shape))
    for label in range(num_labels):
        right = label_map == label
        energy[label] = np.where(right, -np.log(gt_prob), -np.log((1 - gt_prob) / (num_labels - 1)))
    return energy.reshape(num_labels, -1)


def fresh_lattice_labels(image, label_map, num_labels):
    """Refine one map with a lattice of its own, with the published numbers."""
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    height, width = label_map.shape
    field = densecrf.DenseCRF2D(width, height, num_labels)
    field.setUnaryEnergy(energy_by_definition(label_map, num_labels, 0.7).astype(np.float32))
    field.addPairwiseGaussian(sxy=3, compat=3)
    field.addPairwiseBilateral(sxy=50, srgb=5, rgbim=image.copy(), compat=10)
    return np.argmax(field.inference(10), axis=0).reshape(height, width)


@pytest.mark.parametrize("num_labels", [2, 3, 21])
def test_energy_follows_its_definition(num_labels):
    label_map = np.random.default_rng(1).integers(0, num_labels, (5, 7))
    expected = energy_by_definition(label_map, num_labels, 0.7)
    energy = label_energy(label_map, num_labels, 0.7)
    assert energy.dtype == np.float32
    np.testing.assert_allclose(energy, expected, rtol=1e-6)


@pytest.mark.parametrize("num_labels", [2, 4])
def test_maps_sharing_one_lattice_get_the_labels_of_a_fresh_lattice_each(num_labels):
    pytest.importorskip("pydensecrf")
    image = two_tone_image()
    rng = np.random.default_rng(2)
    maps = [rng.integers(0, num_labels, image.shape[:2]) for _ in range(3)]
    refined = crf_inference_labels(image, maps, num_labels=num_labels)
    expected = [fresh_lattice_labels(image, label_map, num_labels) for label_map in maps]
    np.testing.assert_array_equal(refined, expected)


def wavy_scene():
    """An image of waves and a noisy map, whose refined edges move with every setting."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:60, :80]
    waves = 100 + 40 * np.sin(x / 9) + 20 * np.cos(y / 7)
    image = (waves[..., None] + rng.normal(0, 6, (60, 80, 3))).clip(0, 255).astype(np.uint8)
    label_map = (np.sin(x / 9) + np.cos(y / 7) + rng.normal(0, 1, (60, 80)) > 0.2).astype(int)
    return image, label_map + ((y > 30) & (rng.random((60, 80)) < 0.4))


@pytest.mark.parametrize(
    "changed",
    [
        {"iterations": 9},
        {"gt_prob": 0.72},
        {"gaussian_width": 3.3},
        {"gaussian_weight": 3.3},
        {"bilateral_width": 55},
        {"bilateral_colour": 5.5},
        {"bilateral_weight": 11},
    ],
)
def test_the_defaults_are_the_published_numbers_and_each_is_used(changed):
    pytest.importorskip("pydensecrf")
    image, label_map = wavy_scene()
    (refined,) = crf_inference_labels(image, [label_map], num_labels=3)
    np.testing.assert_array_equal(refined, fresh_lattice_labels(image, label_map, 3))
    (other,) = crf_inference_labels(image, [label_map], num_labels=3, **changed)
    assert (other != refined).any()


def test_a_ragged_map_is_drawn_to_the_edge_of_the_image():
    pytest.importorskip("pydensecrf")
    image = two_tone_image()
    truth = np.zeros(image.shape[:2], dtype=np.int64)
    truth[:, 16:] = 1
    ragged = truth.copy()
    ragged[:8, 14:] = 1
    ragged[8:, :19] = 0
    (refined,) = crf_inference_labels(image, [ragged], num_labels=2)
    assert refined.dtype == np.int64
    np.testing.assert_array_equal(refined, truth)


def test_an_image_that_must_not_be_written_to_is_accepted_and_unchanged():
    pytest.importorskip("pydensecrf")
    image = np.asfortranarray(two_tone_image())
    image.flags.writeable = False
    before = image.copy()
    ragged = (np.arange(32) >= 13) * np.ones((24, 1), dtype=np.int32)
    (refined,) = crf_inference_labels(image, [ragged], num_labels=2)
    np.testing.assert_array_equal(refined, fresh_lattice_labels(before, ragged, 2))
    np.testing.assert_array_equal(image, before)


def test_an_image_without_classes_is_all_background_without_a_crf(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    image = two_tone_image()
    maps = [np.zeros(image.shape[:2], dtype=np.uint8)] * 2
    refined = crf_inference_labels(image, maps, num_labels=1)
    assert len(refined) == 2
    assert all(not labels.any() and labels.shape == (24, 32) for labels in refined)


def test_a_missing_package_is_one_error_that_says_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without_pydensecrf(name, *args, **kwargs):
        if name.startswith("pydensecrf"):
            raise ImportError(f"No module named {name!r}")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pydensecrf)
    image = two_tone_image()
    with pytest.raises(ModuleNotFoundError, match="pip install pydensecrf2"):
        crf_inference_labels(image, [np.zeros((24, 32), dtype=int)], num_labels=2)


def test_refuses_what_does_not_fit():
    image = two_tone_image()
    fitting = np.zeros((24, 32), dtype=int)
    with pytest.raises(ValueError, match="uint8 RGB image"):
        crf_inference_labels(image.astype(np.float32), [fitting], num_labels=2)
    with pytest.raises(ValueError, match=r"uint8 RGB image .* not uint8 \(24, 32\)"):
        crf_inference_labels(image[..., 0], [fitting], num_labels=2)
    with pytest.raises(ValueError, match=r"shape \(32, 24\) for an image of \(24, 32\)"):
        crf_inference_labels(image, [fitting.T], num_labels=2)
    with pytest.raises(ValueError, match=r"labels 0..2 .* accepted are 0..1"):
        crf_inference_labels(image, [fitting + 2 * (image[..., 0] > 100)], num_labels=2)


def test_probabilities_are_refined_as_the_package_does_it():
    from pydensecrf import densecrf

    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    scores = rng.random((3, 12, 15)).astype(np.float32)
    scores /= scores.sum(axis=0)
    field = densecrf.DenseCRF2D(15, 12, 3)
    field.setUnaryEnergy(-np.log(scores).reshape(3, -1))
    field.addPairwiseGaussian(sxy=1, compat=3)
    field.addPairwiseBilateral(sxy=67, srgb=3, rgbim=image, compat=4)
    expected = np.array(field.inference(10)).reshape(3, 12, 15)
    assert np.abs(crf_inference_probabilities(image, scores) - expected).max() < 1e-6


def test_probabilities_of_0_stay_finite():
    scores = np.zeros((2, 4, 5), np.float32)
    scores[0] = 1
    refined = crf_inference_probabilities(np.zeros((4, 5, 3), np.uint8), scores)
    assert np.isfinite(refined).all()
    assert (refined.argmax(axis=0) == 0).all()
