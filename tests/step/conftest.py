import pytest
from tiny_run import arguments

import run_sample


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Run the real command line over a tiny demo, once for all tests."""
    folder = tmp_path_factory.mktemp("run")
    assert run_sample.main(arguments(folder)) == 0
    return folder
