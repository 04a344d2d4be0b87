"""docs/DROP_IN.md: files of misc/ in another program, called as that program calls its own.

They are called in a process that finds three files of this project and no other; what it writes is
compared with figures of the published program's functions, and with this project's own.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from misc.crf import crf_inference_labels
from misc.indexing import PathIndex, pair_offsets, path_maxima, propagate_to_edge

ROOT = Path(__file__).parent.parent
FILES = ("indexing.py", "crf.py", "lattice.py")
FIGURES = dict(np.load(Path(__file__).parent / "golden.npz"))
PROGRAM = """
import sys

sys.path.insert(0, sys.argv[1])
import numpy as np
import torch

for name in ("misc.affinity", "misc.settings", "misc.run", "net", "step", "run_sample", "cv2"):
    sys.modules[name] = None  # as where it is not there

from misc import crf, indexing

given = dict(np.load(sys.argv[2]))
found = {}

path_index = indexing.PathIndex(radius=10, default_size=(32, 24))
for number, indices in enumerate(path_index.path_indices):
    found[f"path_indices_{number}"] = indices
    found[f"search_paths_{number}"] = path_index.search_paths[number]
for name in ("search_dst", "src_indices", "dst_indices", "radius", "radius_floor"):
    found[name] = getattr(path_index, name)

# Affinities as programs gather them, one buffer for each length of path.
boundary = torch.from_numpy(given["boundary"]).view(1, 1, -1)
affinities = []
for indices in path_index.path_indices:
    index = torch.from_numpy(indices)
    gathered = torch.index_select(boundary, dim=-1, index=index.view(-1))
    gathered = gathered.view(1, *index.shape)
    affinities.append(1 - torch.nn.functional.max_pool2d(gathered, (index.shape[1], 1))[:, :, 0])
found["affinity"] = torch.cat(affinities, dim=1)[0].numpy()

cam, edge = (torch.from_numpy(given[name]) for name in ("s", "e"))
per_instance = torch.stack([cam, cam / 2], dim=1)
walk = indexing.propagate_to_edge
found["walk"] = walk(cam, edge, beta=10, exp_times=8, radius=5).numpy()
found["walk_by_position"] = walk(cam, edge, 5, 10, 8).numpy()
found["walk_per_instance"] = walk(per_instance, edge, beta=10, exp_times=8, radius=5).numpy()
found["walk_float16"] = walk(cam.half(), edge.half(), beta=10, exp_times=8, radius=5).numpy()
with torch.autocast("cpu", torch.bfloat16):
    found["walk_autocast"] = walk(cam, edge, beta=10, exp_times=8, radius=5).numpy()
found["walk_of_none"] = walk(cam[:0], edge, beta=10, exp_times=8, radius=5).numpy()

(found["crf"],) = crf.crf_inference_labels(given["img"], [given["lm"]], num_labels=5)

ours = {n for n in sys.modules if n.startswith("misc") and sys.modules[n] is not None}
assert ours == {"misc", "misc.indexing", "misc.crf", "misc.lattice"}, ours
np.savez(sys.argv[3], **found)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Give what the program finds, once for all tests."""
    folder = tmp_path_factory.mktemp("another_program")
    (folder / "misc").mkdir()
    for name in FILES:
        shutil.copy(ROOT / "misc" / name, folder / "misc")
    (folder / "program.py").write_text(PROGRAM)
    boundary = np.random.default_rng(0).random((32, 24), np.float32)
    given = {name: FIGURES[name] for name in ("s", "e", "img", "lm")}
    np.savez(folder / "given.npz", boundary=boundary, **given)
    # -I: neither this folder nor PYTHONPATH is searched for modules.
    words = [sys.executable, "-I", "program.py", folder, "given.npz", "found.npz"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "found.npz")) | {"boundary": boundary}


def largest_error(walked, expected):
    return np.abs(walked.astype(np.float64) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", ["walk", "walk_by_position", "walk_autocast"])
def test_the_walk_is_the_published_programs(found, name):
    assert found[name].shape == FIGURES["rw"].shape
    assert found[name].dtype == np.float32
    assert largest_error(found[name], FIGURES["rw"]) < 1e-4


def test_maps_of_instances_are_walked_class_by_class(found):
    walked, expected = found["walk_per_instance"], FIGURES["rw"]
    assert walked.shape == (2 * len(expected), *expected.shape[1:])
    assert largest_error(walked[0::2], expected) < 1e-4
    assert largest_error(walked[1::2], expected / 2) < 1e-4


def test_a_walk_of_half_precision_maps_has_their_dtype(found):
    cam, edge = (torch.from_numpy(FIGURES[name]).half() for name in ("s", "e"))
    expected = propagate_to_edge(cam.float(), edge.float()).numpy()
    assert found["walk_float16"].dtype == np.float16
    assert largest_error(found["walk_float16"], expected) < 1e-3


def test_a_walk_of_no_map_is_empty(found):
    assert found["walk_of_none"].shape == (0, 1, *FIGURES["e"].shape[1:])


def test_the_arrays_of_paths_have_their_names_and_gather_the_affinities(found):
    ours = PathIndex(radius=10, default_size=(32, 24))
    assert (found["radius"], found["radius_floor"]) == (10, 9)
    assert found["search_dst"].shape == (152, 2)
    assert found["src_indices"].shape == (23 * 6,)
    assert found["dst_indices"].shape == (152, 23 * 6)
    for number, indices in enumerate(ours.path_indices):
        assert (found[f"path_indices_{number}"] == indices).all()
        assert found[f"path_indices_{number}"].dtype == np.int64
    # The same affinities, computed without any index; their order is that of search_dst.
    maxima = path_maxima(torch.from_numpy(found["boundary"]), 10)
    by_offset = dict(zip(pair_offsets(10), (1 - m.numpy().ravel() for m in maxima), strict=True))
    for (y, x), affinity in zip(found["search_dst"], found["affinity"], strict=True):
        np.testing.assert_allclose(affinity, by_offset[y, x], rtol=0, atol=1e-6)


def test_the_crf_is_that_of_this_project(found):
    (expected,) = crf_inference_labels(FIGURES["img"], [FIGURES["lm"]], num_labels=5)
    assert (found["crf"] == expected).all()


def test_the_page_names_the_files_and_what_they_have():
    page = (ROOT / "docs" / "DROP_IN.md").read_text()
    assert set(re.findall(r"`misc/(\w+\.py)`", page)) >= set(FILES)
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        compile(block, "DROP_IN.md", "exec")
    names = {"PathIndex", "propagate_to_edge", "search_dst", "path_indices", "crf_inference_labels"}
    assert all(f"`{name}`" in page for name in names)
