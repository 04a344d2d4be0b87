"""docs/walkthrough.ipynb: its cells run after a run, and make what the stages made."""

import json
import os
import shlex

import numpy as np

from misc.files.images import read_label
from misc.files.labels import load_instances
from tests import documented, forked
from tests.documented import ROOT

CELLS = json.loads((ROOT / "docs" / "walkthrough.ipynb").read_text())["cells"]


def run_cells(results):
    """Run the notebook's code from its folder, on other results, and compare what it made."""
    os.chdir(ROOT / "docs")
    code = "\n".join("".join(c["source"]) for c in CELLS if c["cell_type"] == "code")
    made = {}
    exec(code.replace('RUN = "result/demo"', f'RUN = "{results}"'), made)
    assert made["RUN"] == str(results)
    stored = load_instances(results / "ins_seg" / f"{made['image_id']}.npz")
    assert len(stored["mask"]) > 0
    for name, values in stored.items():
        np.testing.assert_array_equal(made["found"][name], values)
    label = read_label(results / "sem_seg" / f"{made['image_id']}.png")
    np.testing.assert_array_equal(made["label"], label)


def test_the_notebook_makes_the_labels_of_the_stages(tmp_path):
    # On a GPU the notebook enlarges scores there, the stages do on the CPU: rounding differs.
    settings = {**forked.RATES, "ins_seg_bg_thres": 0.05, "device": "cpu"}
    command, *_ = documented.commands("".join(CELLS[0]["source"]))
    passes = [*shlex.split(command)[2:], "--make_ins_seg_pass", "--make_sem_seg_pass"]
    output = tmp_path / "output"
    assert forked.run(forked.arguments(tmp_path, *passes, **settings), output) == 0
    results = tmp_path / "result" / "demo"
    assert forked.run([results], output, call=run_cells) == 0, output.read_text()[-3000:]
