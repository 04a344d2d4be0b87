import os

import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of several processes wait for each other's cores.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random numbers, whatever ran before it."""
    torch.manual_seed(0)
