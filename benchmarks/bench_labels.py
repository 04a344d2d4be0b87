"""Instance and semantic labels of one image: all but the network, beside the network."""

from functools import partial

import numpy as np
import torch

from benchmarks.harness import Row, interleaved
from benchmarks.scenes import GRID, SIZE, blobs, boundary, displacement
from misc.indexing import propagate_to_edge
from net.resnet50_irn import EdgeDisplacement
from step.label_synthesis import Loaded, instance_labels, semantic_label


def rows(*, full: bool = False) -> list[Row]:
    """Measure both kinds of label for an image of two classes and six instances."""
    edge, field = boundary(*GRID), displacement(*GRID)
    cam = np.stack([blobs(*GRID, seed) for seed in (5, 6)])
    loaded = Loaded(
        pair=np.zeros((2, 3, *SIZE), np.float32), cam=cam, keys=np.array([0, 7]), size=SIZE
    )
    network = EdgeDisplacement().eval()
    pair = torch.randn(2, 3, *SIZE)

    def labels() -> None:
        instance_labels(
            edge,
            field,
            loaded,
            small_displacement=2.5,
            bg_threshold=0.25,
            propagate=propagate_to_edge,
        )
        semantic_label(edge, loaded, bg_threshold=0.25, propagate=propagate_to_edge)

    with torch.inference_mode():
        ours, forward = interleaved(labels, partial(network, pair))
    share = ours / forward
    return [
        Row(
            what="instance + semantic labels, all but the network",
            goal="≤ 15 % of the network's forward",
            seconds=ours,
            met=share <= 0.15,
            note=f"network {forward:.2f} s: {100 * share:.1f} %",
            seconds_an_image={"make_ins_seg + make_sem_seg": ours + forward},
        )
    ]
