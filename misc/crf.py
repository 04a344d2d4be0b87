"""Refining label maps with a dense conditional random field (Krähenbühl and Koltun, 2011).

The field is computed on torch, on any device, by `misc.lattice`; the two files need torch and
numpy only. The package pydensecrf computes the same and can be chosen instead.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from misc.lattice import Kernel, appearance_kernel, smoothness_kernel

BACKENDS = ("torch", "pydensecrf")
# Values at a lattice's vertices at once, in between 8 and 16 columns of them: more fall out of the
# cache and take memory, and fewer than 8 take as long as 8.
_VALUES = 3 << 20
# Pixels whose softmax is taken at once, likewise.
_PIXELS = 1 << 14

Array = TypeVar("Array", np.ndarray, Tensor)


def crf_inference_labels(
    image: Array,
    label_maps: Iterable[Array],
    *,
    num_labels: int,
    iterations: int = 10,
    gt_prob: float = 0.7,
    gaussian_width: float = 3,
    gaussian_weight: float = 3,
    bilateral_width: float = 50,
    bilateral_colour: float = 5,
    bilateral_weight: float = 10,
    backend: str = "torch",
    device: torch.device | str | None = None,
) -> list[Array]:
    """Refine label maps of one image with a dense CRF.

    All maps share one lattice, which depends on the image only; the labels equal those of one
    lattice per map.

    Args:
        image: uint8 RGB (H, W, 3), an array or a tensor.
        label_maps: integer maps (H, W) with values in 0..num_labels-1, without unknown labels.
        num_labels: number of labels, the background included.
        iterations: mean-field iterations.
        gt_prob: probability that a given label is right; the other labels share the rest.
        gaussian_width: standard deviation in pixels of the smoothness term.
        gaussian_weight: weight of the smoothness term.
        bilateral_width: standard deviation in pixels of the appearance term.
        bilateral_colour: standard deviation in grey levels of the appearance term.
        bilateral_weight: weight of the appearance term.
        backend: the implementation, torch or pydensecrf (on the CPU).
        device: torch's device; by default the image's.

    Returns:
        one int64 map (H, W) for each of `label_maps`, in their order; tensors where the image is
        one.

    Raises:
        ValueError: image or maps of a wrong shape or type, a label outside the range, an unknown
            backend, or standard deviations that are too small for the lattice.
        ModuleNotFoundError: pydensecrf is chosen and not installed.
    """
    pixels = _image_tensor(image, device)
    maps = [_label_tensor(label_map, pixels, num_labels) for label_map in label_maps]
    if num_labels == 1 or not maps:
        return [_like(image, torch.zeros_like(labels)) for labels in maps]
    refined = _refine(
        pixels,
        _label_scores(torch.stack([labels.flatten() for labels in maps], 1), num_labels, gt_prob),
        iterations=iterations,
        gaussian=(gaussian_width, gaussian_weight),
        bilateral=(bilateral_width, bilateral_colour, bilateral_weight),
        backend=backend,
    )
    labels = refined.argmax(dim=2)
    return [_like(image, one.reshape(pixels.shape[:2])) for one in labels.unbind(1)]


def crf_inference_probabilities(
    image: Array,
    probabilities: Array,
    *,
    iterations: int = 10,
    gaussian_width: float = 1,
    gaussian_weight: float = 3,
    bilateral_width: float = 67,
    bilateral_colour: float = 3,
    bilateral_weight: float = 4,
    backend: str = "torch",
    device: torch.device | str | None = None,
) -> Array:
    """Refine a network's label probabilities with a dense CRF; by default DeepLab-v2's.

    Args:
        image: uint8 RGB (H, W, 3), an array or a tensor.
        probabilities: float32 (L, H, W), which sum to 1 at each pixel.
        iterations: mean-field iterations.
        gaussian_width: standard deviation in pixels of the smoothness term.
        gaussian_weight: weight of the smoothness term.
        bilateral_width: standard deviation in pixels of the appearance term.
        bilateral_colour: standard deviation in grey levels of the appearance term.
        bilateral_weight: weight of the appearance term.
        backend: the implementation, torch or pydensecrf (on the CPU).
        device: torch's device; by default the image's.

    Returns:
        the refined probabilities, float32 (L, H, W); a tensor where the image is one.

    Raises:
        ValueError: image and probabilities do not fit, an unknown backend, or standard deviations
            that are too small for the lattice.
        ModuleNotFoundError: pydensecrf is chosen and not installed.
    """
    pixels = _image_tensor(image, device)
    scores = _log(probabilities, pixels.device)
    _check_size(scores[0], pixels)
    refined = _refine(
        pixels,
        scores.flatten(1).T[:, None].contiguous(),
        iterations=iterations,
        gaussian=(gaussian_width, gaussian_weight),
        bilateral=(bilateral_width, bilateral_colour, bilateral_weight),
        backend=backend,
    )
    return _like(image, refined[:, 0].T.reshape(scores.shape))


def _label_scores(labels: Tensor, num_labels: int, gt_prob: float) -> Tensor:
    """Convert M label maps (H·W, M) to log-probabilities, float32 (H·W, M, num_labels).

    The given label has gt_prob, each other one (1 - gt_prob) / (num_labels - 1).
    """
    other = math.log((1 - gt_prob) / (num_labels - 1))
    scores = torch.full((*labels.shape, num_labels), other, device=labels.device)
    return scores.scatter_(2, labels[..., None], math.log(gt_prob))


@torch.inference_mode()
def _refine(
    image: Tensor,
    scores: Tensor,
    *,
    iterations: int,
    gaussian: tuple[float, float],
    bilateral: tuple[float, float, float],
    backend: str,
) -> Tensor:
    """Refine the log-probabilities (H·W, M, L) of M maps of an image to probabilities."""
    if backend not in BACKENDS:
        raise ValueError(f"unknown CRF {backend!r}; accepted are {' and '.join(BACKENDS)}")
    if backend == "pydensecrf":
        return _refine_with_pydensecrf(image, scores, iterations, gaussian, bilateral)
    if not scores.numel():
        return scores
    kernels = (
        appearance_kernel(image, width=bilateral[0], colour=bilateral[1], weight=bilateral[2]),
        smoothness_kernel(
            (image.shape[0], image.shape[1]),
            width=gaussian[0],
            weight=gaussian[1],
            device=image.device,
        ),
    )
    return _mean_field(kernels, scores, iterations)


def _mean_field(kernels: Sequence[Kernel], scores: Tensor, iterations: int) -> Tensor:
    """Iterate Q ← softmax(scores + Σ K Q) over (N, M, L), from softmax(scores)."""
    start = scores.flatten(1)
    beliefs = scores.clone(memory_format=torch.contiguous_format)
    columns = beliefs.flatten(1)
    _softmax_(beliefs)
    count = columns.shape[1]
    most = min(max(_VALUES // max(len(kernel.starts) for kernel in kernels), 8), 16)
    share = math.ceil(count / math.ceil(count / most))
    for _ in range(iterations):
        for first in range(0, count, share):
            part = slice(first, first + share)
            given = columns[:, part].contiguous()
            messages = kernels[0](given)
            for kernel in kernels[1:]:
                messages += kernel(given)
            torch.add(start[:, part], messages, out=columns[:, part])
        _softmax_(beliefs)
    return beliefs


def _softmax_(values: Tensor) -> None:
    """Compute the softmax over the last axis of (N, M, L), in place."""
    for part in values.split(_PIXELS):
        if part.shape[2] < 16:
            # Torch is slow along an axis that is shorter than a vector register.
            part.copy_(part.permute(1, 2, 0).contiguous().softmax(1).permute(2, 0, 1))
        else:
            part.copy_(part.softmax(2))


def _refine_with_pydensecrf(
    image: Tensor,
    scores: Tensor,
    iterations: int,
    gaussian: tuple[float, float],
    bilateral: tuple[float, float, float],
) -> Tensor:
    height, width = image.shape[:2]
    field = _import_dense_crf().DenseCRF2D(width, height, scores.shape[2])
    field.addPairwiseGaussian(sxy=gaussian[0], compat=gaussian[1])
    field.addPairwiseBilateral(
        sxy=bilateral[0],
        srgb=bilateral[1],
        # The binding needs writable memory; an image decoded by PIL is read-only.
        rgbim=np.array(image.cpu().numpy(), order="C"),
        compat=bilateral[2],
    )
    refined = torch.empty_like(scores)
    for one, out in zip(scores.unbind(1), refined.unbind(1), strict=True):
        field.setUnaryEnergy((-one.T).contiguous().cpu().numpy())
        out.copy_(torch.as_tensor(np.asarray(field.inference(iterations)), device=out.device).T)
    return refined


def _import_dense_crf() -> Any:
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise ModuleNotFoundError(
            "--crf pydensecrf needs the package pydensecrf: pip install pydensecrf2, or use "
            "--crf torch (the same labels), as where it does not build: without a C++ compiler "
            "or on Python 3.13 and later"
        ) from error
    return densecrf


def _image_tensor(image: Any, device: torch.device | str | None) -> Tensor:
    if device is None:
        device = image.device if isinstance(image, Tensor) else "cpu"
    pixels = _tensor(image, device)
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            f"the CRF takes a uint8 RGB image (H, W, 3), not {image.dtype} {tuple(image.shape)}"
        )
    return pixels


def _label_tensor(label_map: Any, image: Tensor, num_labels: int) -> Tensor:
    """Check a label map and move it to the image's device, int64 (H, W)."""
    labels = _tensor(label_map, image.device)
    _check_size(labels, image)
    if labels.is_floating_point():
        raise ValueError(f"a label map of {label_map.dtype}; the CRF takes integers")
    labels = labels.to(torch.int64)
    lowest, highest = (int(v) for v in labels.aminmax()) if labels.numel() else (0, 0)
    if not 0 <= lowest <= highest < num_labels:
        raise ValueError(
            f"labels {lowest}..{highest} in a label map, accepted are 0..{num_labels - 1}"
        )
    return labels


def _check_size(label_map: Tensor, image: Tensor) -> None:
    if label_map.shape != image.shape[:2]:
        raise ValueError(
            f"label map of shape {tuple(label_map.shape)} for an image of {tuple(image.shape[:2])}"
        )


def _tensor(array: Any, device: torch.device | str) -> Tensor:
    """Move an array of any memory layout, or a tensor, to a device."""
    if isinstance(array, Tensor):
        return array.to(device)
    # Torch warns of read-only memory.
    return torch.as_tensor(np.require(array, requirements=["C", "W"]), device=device)


def _log(probabilities: Any, device: torch.device) -> Tensor:
    """Compute the logarithm; a probability of 0 would be an infinite energy."""
    if isinstance(probabilities, Tensor):
        return probabilities.to(device, torch.float32).clamp(min=1e-8).log()
    # Numpy's rounds differently from torch's: with pydensecrf, arrays keep their results.
    return _tensor(np.log(np.maximum(probabilities.astype(np.float32), 1e-8)), device)


def _like(image: Array, result: Tensor) -> Array:
    return result if isinstance(image, Tensor) else result.cpu().numpy()
