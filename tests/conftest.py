import os

import pytest
import torch

from tests import voc_shaped

if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of several processes wait for each other's cores.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random numbers, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def voc_folder(tmp_path_factory):
    """Give a folder with VOCdevkit/VOC2012 and benchmark_RELEASE, to be read only."""
    folder = tmp_path_factory.mktemp("voc")
    voc_shaped.make_voc(folder)
    voc_shaped.make_sbd(folder)
    return folder
