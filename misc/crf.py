"""Refining label maps with a dense conditional random field (Krähenbühl and Koltun, 2011)."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def crf_inference_labels(
    image: np.ndarray,
    label_maps: Iterable[np.ndarray],
    *,
    num_labels: int,
    iterations: int = 10,
    gt_prob: float = 0.7,
    gaussian_width: float = 3,
    gaussian_weight: float = 3,
    bilateral_width: float = 50,
    bilateral_colour: float = 5,
    bilateral_weight: float = 10,
) -> list[np.ndarray]:
    """Refine label maps of one image with a dense CRF.

    All maps share one lattice, which depends on the image only; the labels are those that a
    lattice of its own would give to each.

    Args:
        image: uint8 RGB (H, W, 3).
        label_maps: integer maps (H, W) with values in 0..num_labels-1, all of them sure.
        num_labels: number of labels, the background included.
        iterations: mean-field iterations.
        gt_prob: probability that a given label is right; the rest is shared by the others.
        gaussian_width: standard deviation in pixels of the smoothness term.
        gaussian_weight: weight of the smoothness term.
        bilateral_width: standard deviation in pixels of the appearance term.
        bilateral_colour: standard deviation in grey levels of the appearance term.
        bilateral_weight: weight of the appearance term.

    Returns:
        one int64 map (H, W) for each of `label_maps`, in their order.

    Raises:
        ValueError: image or maps of a wrong shape or type, or a label outside the range.
        ModuleNotFoundError: pydensecrf is not installed.
    """
    maps = [np.asarray(label_map) for label_map in label_maps]
    _check_sizes(image, maps)
    _check_labels(maps, num_labels)
    if num_labels == 1:
        return [np.zeros(label_map.shape, dtype=np.int64) for label_map in maps]
    height, width = image.shape[:2]
    field = _dense_crf(
        image,
        num_labels,
        gaussian=(gaussian_width, gaussian_weight),
        bilateral=(bilateral_width, bilateral_colour, bilateral_weight),
    )
    refined = []
    for label_map in maps:
        field.setUnaryEnergy(label_energy(label_map, num_labels, gt_prob))
        probabilities = np.asarray(field.inference(iterations))
        refined.append(probabilities.argmax(axis=0).reshape(height, width))
    return refined


def crf_inference_probabilities(
    image: np.ndarray,
    probabilities: np.ndarray,
    *,
    iterations: int = 10,
    gaussian_width: float = 1,
    gaussian_weight: float = 3,
    bilateral_width: float = 67,
    bilateral_colour: float = 3,
    bilateral_weight: float = 4,
) -> np.ndarray:
    """Refine a network's label probabilities with a dense CRF; by default DeepLab-v2's.

    Args:
        image: uint8 RGB (H, W, 3).
        probabilities: float32 (L, H, W), which sum to 1 at each pixel.
        iterations: mean-field iterations.
        gaussian_width: standard deviation in pixels of the smoothness term.
        gaussian_weight: weight of the smoothness term.
        bilateral_width: standard deviation in pixels of the appearance term.
        bilateral_colour: standard deviation in grey levels of the appearance term.
        bilateral_weight: weight of the appearance term.

    Returns:
        the refined probabilities, float32 (L, H, W).

    Raises:
        ValueError: image and probabilities do not fit.
        ModuleNotFoundError: pydensecrf is not installed.
    """
    _check_sizes(image, [probabilities[0]])
    field = _dense_crf(
        image,
        len(probabilities),
        gaussian=(gaussian_width, gaussian_weight),
        bilateral=(bilateral_width, bilateral_colour, bilateral_weight),
    )
    # A probability of 0 would be an infinite energy.
    energy = -np.log(np.maximum(probabilities.astype(np.float32), 1e-8))
    field.setUnaryEnergy(np.ascontiguousarray(energy.reshape(len(energy), -1)))
    refined = np.asarray(field.inference(iterations), dtype=np.float32)
    return refined.reshape(probabilities.shape)


def label_energy(label_map: np.ndarray, num_labels: int, gt_prob: float) -> np.ndarray:
    """Turn a label map (H, W) into unary energies, float32 (num_labels, H·W).

    The given label costs -log(gt_prob), each other one -log((1 - gt_prob) / (num_labels - 1)).
    """
    labels = label_map.reshape(-1)
    other = -np.log((1 - gt_prob) / (num_labels - 1))
    energy = np.full((num_labels, labels.size), other, dtype=np.float32)
    energy[labels, np.arange(labels.size)] = -np.log(gt_prob)
    return energy


def _dense_crf(
    image: np.ndarray,
    num_labels: int,
    *,
    gaussian: tuple[float, float],
    bilateral: tuple[float, float, float],
) -> Any:
    """Build the field of an image: its smoothness term (width, weight) and its appearance term."""
    height, width = image.shape[:2]
    field = _import_dense_crf().DenseCRF2D(width, height, num_labels)
    field.addPairwiseGaussian(sxy=gaussian[0], compat=gaussian[1])
    field.addPairwiseBilateral(
        sxy=bilateral[0],
        srgb=bilateral[1],
        # The binding wants memory it may write to; an image decoded by PIL is read-only.
        rgbim=np.array(image, order="C"),
        compat=bilateral[2],
    )
    return field


def _check_sizes(image: np.ndarray, maps: Sequence[np.ndarray]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"the CRF takes a uint8 RGB image (H, W, 3), not {image.dtype} {image.shape}"
        )
    for label_map in maps:
        if label_map.shape != image.shape[:2]:
            raise ValueError(
                f"label map of shape {label_map.shape} for an image of {image.shape[:2]}"
            )


def _check_labels(maps: Sequence[np.ndarray], num_labels: int) -> None:
    for label_map in maps:
        if label_map.size and not 0 <= label_map.min() <= label_map.max() < num_labels:
            raise ValueError(
                f"labels {label_map.min()}..{label_map.max()} in a label map, "
                f"accepted are 0..{num_labels - 1}"
            )


def _import_dense_crf() -> Any:
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise ModuleNotFoundError(
            "the dense CRF needs the package pydensecrf: pip install pydensecrf2"
        ) from error
    return densecrf
