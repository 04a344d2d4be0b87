import multiprocessing
import os
import re
import signal
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from misc.machine import ranks
from misc.machine.device import Compute
from misc.run.workers import map_images, run_images
from tests import forked

IDS = ["a", "b", "c", "d"]
IN_WORKERS = {
    "compute": Compute(device=torch.device("cpu"), num_workers=2, in_workers=True),
}
EVERYWHERE = [{"num_workers": 0}, {"num_workers": 2}, IN_WORKERS]
DIED = "^10: a worker process died, .*--num_workers"


def upper(image_id):
    return image_id.upper()


def double(value):
    return 2 * value


def fail_on_c(image_id, *_):
    if image_id == "c":
        raise ValueError("c.jpg: cannot be read")
    return image_id


def the_one_way(image_id, loaded):
    doubled = yield partial(double, loaded)
    again = yield partial(double, doubled)
    return image_id + again


def array(image_id):
    return np.array([1, 2])


@pytest.mark.parametrize("where", [*EVERYWHERE, {"num_workers": 1}])
def test_an_image_goes_to_the_workers_as_often_as_it_yields_and_results_keep_the_order(where):
    results = map_images(IDS, upper, process=the_one_way, **where)
    assert list(results) == [("a", "aAAAA"), ("b", "bBBBB"), ("c", "cCCCC"), ("d", "dDDDD")]
    results = map_images(IDS[:2], upper, **where)
    assert list(results) == [("a", "A"), ("b", "B")]


@pytest.mark.parametrize("where", EVERYWHERE)
def test_workers_apply_networks_on_one_thread_where_the_device_is_divided(where):
    def process(_image_id, _loaded):
        return os.getpid(), torch.get_num_threads()

    found = [result for _, result in map_images(IDS, upper, process=process, **where)]
    if where is IN_WORKERS:
        assert {threads for _, threads in found} == {1}
        assert os.getpid() not in {place for place, _ in found}
    else:
        assert set(found) == {(os.getpid(), torch.get_num_threads())}


def test_the_device_goes_on_to_other_images_while_the_workers_work():
    seen = []

    def process(image_id, loaded):
        seen.append(f"{image_id} network")
        yield partial(time.sleep, 0.2)
        seen.append(f"{image_id} walk")

    list(map_images(IDS[:2], upper, process=process, num_workers=2))
    assert seen.index("b network") < seen.index("a walk")


@pytest.mark.parametrize("where", EVERYWHERE)
def test_an_error_comes_as_it_was_raised_after_the_results_before_it(where):
    def process(image_id, _):
        yield partial(fail_on_c, image_id)

    for options in ({"load": fail_on_c}, {"load": upper, "process": process}):
        results = map_images(IDS, **where, **options)
        assert [next(results)[0], next(results)[0]] == ["a", "b"]
        with pytest.raises(ValueError, match=r"^c\.jpg: cannot be read(\n|$)"):
            next(results)


class Two(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def test_an_error_of_another_form_keeps_its_message():
    class Own(Exception):
        pass

    def process(image_id, _):
        raise Own("said") if image_id == "a" else Two(1, 2)

    for ids, match in ((IDS, "^Own: said"), (IDS[1:], "^Two: 1 2")):
        with pytest.raises(RuntimeError, match=match):
            list(map_images(ids, upper, process=process, **IN_WORKERS))


def test_fewer_images_than_a_ranks_workers_have_all_cores(monkeypatch):
    def process(_image_id, _loaded):
        return os.getpid()

    assert list(map_images(IDS[:1], upper, process=process, **IN_WORKERS)) == [("a", os.getpid())]
    monkeypatch.setattr(ranks, "share_of_processes", lambda number: number // 2)
    assert list(map_images(IDS[:1], upper, process=process, **IN_WORKERS)) != [("a", os.getpid())]


def ask_for_too_much(image_id, *_):
    return np.empty(10**15, np.uint8) if image_id == "b" else image_id


@pytest.mark.parametrize("where", EVERYWHERE)
def test_want_of_memory_names_the_image(where):
    def process(image_id, _):
        yield partial(ask_for_too_much, image_id)

    for options in ({"load": ask_for_too_much}, {"load": upper, "process": process}):
        with pytest.raises(OSError, match=r"^b: out of memory \(Unable to allocate .*\); free"):
            list(map_images(IDS, **where, **options))


# An end within seconds, whatever the size of what is on its way to a worker or back from it.


def load_array(size, image_id):
    return np.zeros(size, np.uint8)


def end_on_10(how, image_id, values):
    if image_id == "10":
        how()
    return values


def fail():
    raise OSError("10.png: cannot be written")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def load_or_die(size, image_id):
    return end_on_10(die, image_id, load_array(size, image_id))


def stay(image_id, values):
    return values


@pytest.mark.parametrize("size", [100, pytest.param(47_000, marks=pytest.mark.slow), 10_000_000])
@pytest.mark.parametrize(
    ("load", "job", "match"),
    [
        (load_array, partial(end_on_10, fail), r"^10.png: cannot be written(\n|$)"),
        (load_array, partial(end_on_10, die), DIED),
        (load_or_die, stay, DIED),
    ],
)
def test_a_job_that_fails_and_a_worker_that_is_killed_end_the_run(size, load, job, match):
    """In one line, and no process and no thread is left."""

    def process(image_id, loaded):
        yield partial(job, image_id, loaded)

    processes, threads = len(multiprocessing.active_children()), threading.active_count()
    start = time.monotonic()
    with pytest.raises(OSError, match=match):
        run_images([str(n) for n in range(40)], partial(load, size), process=process, num_workers=2)
    assert time.monotonic() - start < 10
    assert len(multiprocessing.active_children()) == processes
    assert threading.active_count() == threads


def parent(*_):
    return os.getppid()


def parent_on_the_way(image_id, loaded):
    again = yield parent
    return loaded, again


def test_processes_are_forked_from_this_one_whatever_the_default_is(forkserver):
    results = map_images(IDS[:1], parent, process=parent_on_the_way, num_workers=1)
    assert list(results) == [("a", (os.getpid(), os.getpid()))]


def test_workers_end_with_the_process_that_was_killed(tmp_path):
    child = os.fork()
    if child == 0:
        run_images(IDS, partial(tell_and_wait, tmp_path), num_workers=2)
        os._exit(0)
    workers = [int(path.name) for path in wait_for(tmp_path, 2)]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for _ in range(100):
        time.sleep(0.1)
        if not any(map(is_alive, workers)):
            return
    pytest.fail("a worker lives on")


def tell_and_wait(folder, image_id):
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def wait_for(folder, number):
    while len(found := list(folder.iterdir())) < number:
        time.sleep(0.02)
    return found


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def label_on_ranks(folder, *ids):
    def label(image_id):
        (Path(folder) / image_id).touch()
        print("made", image_id, flush=True)

    ranks.start("cpu")
    run_images(ids, label, outputs=lambda image_id: [Path(folder) / image_id])


def test_ranks_share_out_what_is_unfinished_not_all(tmp_path):
    for done in ("a", "c", "e", "g"):  # the images of the first of two ranks
        (tmp_path / done).touch()
    words = [tmp_path, *"abcdefgh"]
    started = forked.start_ranks(words, tmp_path / "output", 2, label_on_ranks)
    assert [forked.finish(process) for process in started] == [0, 0]
    output = [(tmp_path / f"output{rank}").read_text() for rank in (0, 1)]
    assert [re.findall(r"made (\w)", text) for text in output] == [["b", "f"], ["d", "h"]]
