import os
import signal
import time
from functools import partial

import pytest

from misc.running.interrupt import kept_interrupts
from misc.running.pool import travel
from misc.running.workers import map_images, start_pool_process


def double(value):
    return 2 * value


def slow_first(image_id):
    time.sleep(0.3 if image_id == "a" else 0)
    return image_id


def fail(image_id):
    raise ValueError(f"{image_id}: cannot be written")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def way(seen, image_id):
    seen.append(f"{image_id} network")
    first = yield partial(slow_first, image_id)
    seen.append(f"{image_id} walk")
    last = yield partial(double, first)
    return last + "!"


def all_of(ways, num_workers):
    return list(travel(ways, num_workers=num_workers, start=start_pool_process))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_way_is_resumed_with_what_the_pool_returned_and_results_keep_their_order(num_workers):
    seen = []
    found = all_of([(i, way(seen, i)) for i in "abc"], num_workers)
    assert found == [("a", "aa!"), ("b", "bb!"), ("c", "cc!")]
    for image_id in "abc":
        assert seen.index(f"{image_id} network") < seen.index(f"{image_id} walk")


def test_the_device_goes_on_to_other_images_while_the_pool_works():
    seen = []
    all_of([(i, way(seen, i)) for i in "ab"], 2)
    assert seen.index("b network") < seen.index("a walk")


def test_images_start_only_a_few_before_the_first_has_arrived():
    started = []

    def ways():
        for number in range(40):
            started.append(number)
            yield str(number), way([], str(number))

    travelling = travel(ways(), num_workers=1, start=start_pool_process)
    next(travelling)
    assert len(started) <= 5
    travelling.close()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_in_the_pool_comes_as_it_was_raised_after_the_results_before_it(num_workers):
    def spoilt(image_id):
        yield partial(fail if image_id == "c" else slow_first, image_id)
        return image_id

    ways = ((i, spoilt(i)) for i in "abcd")
    travelling = travel(ways, num_workers=num_workers, start=start_pool_process)
    assert [next(travelling)[0], next(travelling)[0]] == ["a", "b"]
    with pytest.raises(ValueError, match=r"^c: cannot be written$"):
        next(travelling)


def test_a_process_of_the_pool_that_dies_is_one_line():
    def dying(image_id):
        yield die

    with pytest.raises(OSError, match=r"^a: a process that writes results died, .*--num_workers"):
        all_of([("a", dying("a"))], 1)


def test_what_was_loaded_goes_on_to_the_pool_through_the_device():
    def process(image_id, loaded):
        found = yield partial(double, loaded)
        return image_id + found

    assert list(map_images("ab", str.upper, process=process, num_workers=2)) == [
        ("a", "aAA"),
        ("b", "bBB"),
    ]


def test_a_pool_ends_with_the_process_that_was_killed():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:

        def waiting(image_id):
            yield partial(tell_and_wait, writer)

        all_of([("a", waiting("a"))], 1)
        os._exit(0)
    pool_process = int(os.read(reader, 20))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for _ in range(100):
        time.sleep(0.1)
        if not os.path.exists(f"/proc/{pool_process}"):
            return
        with open(f"/proc/{pool_process}/stat") as file:
            if file.read().split()[2] == "Z":  # ended, and nobody has asked how
                return
    pytest.fail("the process of the pool lives on")


def test_an_interrupt_does_not_wait_for_what_the_pool_does():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:

        def waiting(image_id):
            yield partial(tell_and_wait, writer)

        try:
            with kept_interrupts():
                all_of([("a", waiting("a")), ("b", waiting("b"))], 2)
        except KeyboardInterrupt:
            os._exit(130)
        os._exit(1)
    os.read(reader, 20)
    os.kill(child, signal.SIGINT)
    for _ in range(100):
        time.sleep(0.1)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 130
            return
    os.kill(child, signal.SIGKILL)
    pytest.fail("the interrupted process hangs")


def out_of_memory():
    raise MemoryError("no more")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_job_that_is_out_of_memory_is_one_line_that_names_the_image(num_workers):
    def process(image_id, loaded):
        yield out_of_memory

    with pytest.raises(OSError, match=r"^a: out of memory \(no more\); .*--device"):
        list(map_images("ab", str.upper, process=process, num_workers=num_workers))


def tell_and_wait(writer):
    os.write(writer, str(os.getpid()).encode())
    time.sleep(60)
