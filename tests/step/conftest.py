import fcntl
import os

import pytest
from tiny_run import arguments

import run_sample


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Run the real command line over a tiny demo, once for all tests in all their processes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # each process has its own folder below it
    folder, done = shared / "finished", shared / "finished.done"
    with open(shared / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            assert run_sample.main(arguments(folder, report_pass=None, report_images=2)) == 0
            done.touch()
    return folder
