import numpy as np
import pytest
import torch

from misc.machine.device import Compute
from misc.running.decisions import Decision
from misc.running.label_synthesis import Loaded, Synthesis
from misc.running.scores import Split, Walk

IMAGE = Loaded(
    image=torch.zeros(3, 16, 20, dtype=torch.uint8),
    cam=torch.zeros(1, 4, 5),
    keys=np.array([3]),
    size=(16, 20),
)


def fields(pair):
    return torch.zeros(1, 4, 5), torch.zeros(2, 4, 5)


@pytest.mark.parametrize(("semantic", "sent"), [(False, False), (True, True)])
def test_the_image_is_sent_to_the_pool_where_labels_that_are_made_are_refined(semantic, sent):
    synthesis = Synthesis(
        ins_dir="instances",
        sem_dir="labels" if semantic else None,
        split=Split(on=True, small_displacement=1),
        walk=Walk(on=False, radius=5, beta=10, exp_times=1),
        instance=Decision(background=0.25),
        semantic=Decision(background=0.25, crf="torch"),
        palette=np.zeros((256, 3), np.uint8),
    )
    way = synthesis.way(fields, Compute(device=torch.device("cpu")), "a", IMAGE, levels=False)
    job = way.send(next(way)())
    assert (job.keywords["pixels"] is not None) == sent
