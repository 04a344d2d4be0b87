import multiprocessing
import os

import pytest
import torch

from tests import forked, voc_shaped

if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of several processes wait for each other's cores.
    torch.set_num_threads(1)

# Files are handed whole to the test processes: a long one at the end would keep one process alone.
LONG = {
    "test_cam_methods.py",
    "test_cityscapes_run.py",
    "test_documented.py",
    "test_documented_after.py",
    "test_folder_run.py",
    "test_killed.py",
    "test_mask_rcnn.py",
    "test_networks.py",
    "test_numbers.py",
    "test_plugged_networks.py",
    "test_predict.py",
    "test_provenance_of_runs.py",
    "test_quality.py",
    "test_ranks.py",
    "test_run.py",
    "test_signals.py",
    "test_stages.py",
    "test_sweep.py",
    "test_two_runs.py",
    "test_voc_shaped.py",
}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def server():
    """Start the server of `tests.forked` in this folder, where it finds the modules to import.

    Tests change the folder: of a server that starts then, each process imports torch by itself.
    """
    forked.start_server()


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


@pytest.fixture
def forkserver():
    """Let processes start by default as they do on Linux since Python 3.14."""
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("forkserver", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)
