import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from misc.machine import ranks
from misc.running.workers import map_images, run_images
from tests import forked

IDS = ["a", "b", "c", "d"]


def upper(image_id):
    return image_id.upper()


def fail_on_c(image_id):
    if image_id == "c":
        raise ValueError("c.jpg: cannot be read")
    return image_id


def array(image_id):
    return np.array([1, 2])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_results_come_in_the_order_of_the_ids(num_workers):
    results = list(map_images(IDS, upper, num_workers=num_workers))
    assert results == [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")]


def test_process_is_handed_what_was_loaded():
    results = map_images(IDS[:2], upper, process=lambda i, loaded: i + loaded)
    assert list(results) == [("a", "aA"), ("b", "bB")]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_comes_as_it_was_raised_after_the_results_before_it(num_workers):
    seen = []
    results = map_images(
        IDS, fail_on_c, process=lambda i, _: seen.append(i), num_workers=num_workers
    )
    with pytest.raises(ValueError, match=r"^c\.jpg: cannot be read$"):
        list(results)
    assert seen == ["a", "b"]


def test_images_whose_outputs_are_all_there_are_skipped(tmp_path):
    def outputs(image_id) -> list[Path]:
        return [tmp_path / f"{image_id}.1", tmp_path / f"{image_id}.2"]

    for path in [*outputs("a"), outputs("b")[0]]:
        path.touch()
    assert [i for i, _ in map_images(IDS, upper, outputs=outputs)] == ["b", "c", "d"]


def ask_for_too_much(image_id):
    return np.empty(10**15, np.uint8) if image_id == "b" else image_id


@pytest.mark.parametrize("num_workers", [0, 2])
def test_want_of_memory_names_the_image(num_workers):
    with pytest.raises(OSError, match=r"^b: out of memory \(Unable to allocate .*\); free"):
        list(map_images(IDS, ask_for_too_much, num_workers=num_workers))


def die(image_id):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_loader_process_that_is_killed_stops_the_run_with_one_line():
    with pytest.raises(OSError, match=r"a loader process died .* --num_workers"):
        run_images(IDS, die, num_workers=1)


def parent(*_):
    return os.getppid()


def parent_on_the_way(image_id, loaded):
    in_pool = yield parent
    return loaded, in_pool


def test_processes_are_forked_from_this_one_whatever_the_default_is(forkserver):
    results = map_images(IDS[:1], parent, process=parent_on_the_way, num_workers=1)
    assert list(results) == [("a", (os.getpid(), os.getpid()))]


def test_arrays_stay_arrays_and_no_image_is_no_error():
    results = list(map_images(["a"], array, num_workers=1))
    assert isinstance(results[0][1], np.ndarray)
    run_images([], upper, num_workers=4)


def label_on_ranks(folder, *ids):
    def label(image_id):
        (Path(folder) / image_id).touch()
        print("made", image_id, flush=True)

    ranks.start("cpu")
    run_images(ids, label, outputs=lambda image_id: [Path(folder) / image_id])
    ranks.stop()


def test_ranks_share_out_what_is_unfinished_not_all(tmp_path):
    for done in ("a", "c", "e", "g"):  # the images of the first of two ranks
        (tmp_path / done).touch()
    words = [tmp_path, *"abcdefgh"]
    started = forked.start_ranks(words, tmp_path / "output", 2, label_on_ranks)
    assert [forked.finish(process) for process in started] == [0, 0]
    output = [(tmp_path / f"output{rank}").read_text() for rank in (0, 1)]
    assert [re.findall(r"made (\w)", text) for text in output] == [["b", "f"], ["d", "h"]]


@pytest.mark.parametrize(("device", "pinned"), [(None, False), ("cpu", False), ("cuda", True)])
def test_memory_is_pinned_only_for_a_cuda_device(monkeypatch, device, pinned):
    given = {}

    def loader(items, **options):
        given.update(options)
        return [items[place] for place in range(len(items))]

    monkeypatch.setattr("misc.running.workers.DataLoader", loader)
    device = device and torch.device(device)
    assert list(map_images(IDS[:1], upper, device=device)) == [("a", "A")]
    assert given["pin_memory"] is pinned
