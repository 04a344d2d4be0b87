"""What the tests' runs are computed with: IRN_TEST_DEVICE=cuda make test, IRN_TEST_PRECISION."""

import os

COMPUTED = {
    "device": os.environ.get("IRN_TEST_DEVICE", "cpu"),
    "precision": os.environ.get("IRN_TEST_PRECISION", "fp32"),
}
