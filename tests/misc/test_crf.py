import numpy as np
import pytest
import torch

from misc.crf import crf_inference_labels, crf_inference_probabilities


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


def wavy_scene():
    """An image of waves and a noisy map, whose refined edges move with every setting."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:60, :80]
    waves = 100 + 40 * np.sin(x / 9) + 20 * np.cos(y / 7)
    image = (waves[..., None] + rng.normal(0, 6, (60, 80, 3))).clip(0, 255).astype(np.uint8)
    label_map = (np.sin(x / 9) + np.cos(y / 7) + rng.normal(0, 1, (60, 80)) > 0.2).astype(int)
    return image, label_map + ((y > 30) & (rng.random((60, 80)) < 0.4))


def test_the_defaults_are_the_published_numbers_and_each_is_used():
    pytest.importorskip("pydensecrf")
    image, label_map = wavy_scene()
    (refined,) = crf_inference_labels(image, [label_map], num_labels=3)
    np.testing.assert_array_equal(refined, fresh_lattice_labels(image, label_map, 3))
    for changed in (
        {"iterations": 9},
        {"gt_prob": 0.72},
        {"gaussian_width": 3.3},
        {"gaussian_weight": 3.3},
        {"bilateral_width": 55},
        {"bilateral_colour": 5.5},
        {"bilateral_weight": 11},
    ):
        (other,) = crf_inference_labels(image, [label_map], num_labels=3, **changed)
        assert (other != refined).any(), changed


def test_refuses_what_does_not_fit():
    image = two_tone_image()
    fitting = np.zeros((24, 32), dtype=int)
    with pytest.raises(ValueError, match="uint8 RGB image"):
        crf_inference_labels(image.astype(np.float32), [fitting], num_labels=2)
    with pytest.raises(ValueError, match=r"shape \(32, 24\) for an image of \(24, 32\)"):
        crf_inference_labels(image, [fitting.T], num_labels=2)
    with pytest.raises(ValueError, match=r"labels 0..2 .* accepted are 0..1"):
        crf_inference_labels(image, [fitting + 2 * (image[..., 0] > 100)], num_labels=2)
    with pytest.raises(ValueError, match=r"shape \(24, 31\) for an image of \(24, 32\)"):
        crf_inference_probabilities(image, np.zeros((2, 24, 31), np.float32))


# On noise ten iterations make much of the last bit: one in the unaries is 8e-6 in the result.
@pytest.mark.parametrize(("backend", "tolerance"), [("pydensecrf", 1e-6), ("torch", 1e-4)])
def test_probabilities_are_refined_as_the_package_does_it(backend, tolerance):
    densecrf = pytest.importorskip("pydensecrf.densecrf")

    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    scores = rng.random((3, 12, 15)).astype(np.float32)
    scores /= scores.sum(axis=0)
    field = densecrf.DenseCRF2D(15, 12, 3)
    field.setUnaryEnergy(-np.log(scores).reshape(3, -1))
    field.addPairwiseGaussian(sxy=1, compat=3)
    field.addPairwiseBilateral(sxy=67, srgb=3, rgbim=image, compat=4)
    expected = np.array(field.inference(10)).reshape(3, 12, 15)
    refined = crf_inference_probabilities(image, scores, backend=backend)
    assert refined.dtype == np.float32
    assert np.abs(refined - expected).max() < tolerance


def test_probabilities_of_0_stay_finite():
    scores = np.zeros((2, 4, 5), np.float32)
    scores[0] = 1
    refined = crf_inference_probabilities(np.zeros((4, 5, 3), np.uint8), scores)
    assert np.isfinite(refined).all()
    assert (refined.argmax(axis=0) == 0).all()


def blocky_map(num_labels, height, width):
    rng = np.random.default_rng(num_labels)
    blocks = rng.integers(0, num_labels, (height // 9 + 1, width // 9 + 1))
    return np.kron(blocks, np.ones((9, 9), int))[:height, :width]


def image_of(kind, height=60, width=80):
    rng = np.random.default_rng(5)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "one colour":
        return np.full((height, width, 3), 90, np.uint8)
    if kind == "two tones":
        return two_tone_image(height, width)
    if kind == "ramp":
        return np.tile(np.arange(width, dtype=np.uint8)[:, None], (height, 1, 3))
    return wavy_scene()[0]


@pytest.mark.parametrize(
    ("kind", "num_labels"),
    [
        ("noise", 21),
        ("one colour", 21),
        ("two tones", 21),
        ("ramp", 21),
        ("waves", 2),
        ("waves", 81),
    ],
)
def test_both_backends_give_the_same_labels(kind, num_labels):
    pytest.importorskip("pydensecrf")
    image = image_of(kind)
    rng = np.random.default_rng(6)
    maps = [blocky_map(num_labels, 60, 80), rng.integers(0, num_labels, (60, 80))]
    ours = crf_inference_labels(image, maps, num_labels=num_labels)
    theirs = crf_inference_labels(image, maps, num_labels=num_labels, backend="pydensecrf")
    assert np.mean(np.equal(ours, theirs)) >= 0.999


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_images_of_any_size_and_any_number_of_labels(size):
    pytest.importorskip("pydensecrf")
    image = image_of("noise", *size)
    label_map = blocky_map(300, *size)
    (ours,) = crf_inference_labels(image, [label_map], num_labels=300)
    (theirs,) = crf_inference_labels(image, [label_map], num_labels=300, backend="pydensecrf")
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("num_labels", [2, 16])
def test_maps_refined_together_are_those_refined_alone(num_labels):
    image = image_of("waves")
    maps = [blocky_map(num_labels, 60, 80), blocky_map(num_labels, 80, 60).T]
    together = crf_inference_labels(image, maps, num_labels=num_labels)
    alone = [crf_inference_labels(image, [one], num_labels=num_labels)[0] for one in maps]
    np.testing.assert_array_equal(together, alone)


def test_tensors_are_refined_to_tensors_on_the_device_that_is_asked_for():
    image, label_map = wavy_scene()
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], (60, 80)).transpose(2, 0, 1)
    scores = scores.astype(np.float32)
    probable = crf_inference_probabilities(image, scores, gaussian_width=1.7)
    (expected,) = crf_inference_labels(image, [label_map], num_labels=3)
    # What is made without naming a device would be a meta tensor here and could not be mixed in.
    with torch.device("meta"):
        (refined,) = crf_inference_labels(
            image, [label_map], num_labels=3, gaussian_width=3, device="cpu"
        )
        probabilities = crf_inference_probabilities(
            torch.as_tensor(image, device="cpu"),
            torch.as_tensor(scores, device="cpu"),
            gaussian_width=1.7,
        )
        (of_tensors,) = crf_inference_labels(
            torch.as_tensor(image, device="cpu"),
            [torch.as_tensor(label_map, device="cpu")],
            num_labels=3,
            bilateral_width=50,
        )
    np.testing.assert_array_equal(refined, expected)
    np.testing.assert_array_equal(of_tensors, expected)
    np.testing.assert_allclose(probabilities, probable, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_same_labels():
    image, label_map = wavy_scene()
    (expected,) = crf_inference_labels(image, [label_map], num_labels=3)
    on_device = [torch.as_tensor(label_map, device="cuda")]
    (refined,) = crf_inference_labels(
        torch.as_tensor(image, device="cuda"), on_device, num_labels=3
    )
    assert refined.device.type == "cuda"
    assert (refined.cpu().numpy() == expected).mean() >= 0.999
