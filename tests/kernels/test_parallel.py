"""Compiled work on several threads: every part is done once, whoever does it, whenever the others look."""

import multiprocessing
import threading
import time

import numpy as np
import pytest

import minception as mc
from minception.kernels.cpu.compile import compiled
from minception.kernels.cpu.parallel import count_parts, run


@compiled
def _add(start, stop, part, numbers, amount, done):
    for i in range(start, stop):
        numbers[i] += amount
    done[part] += 1


def _call(size, amount=1.0):
    """(numbers after the call, how often each part was done)."""
    numbers, done = np.zeros(size), np.zeros(32, np.int64)
    run(_add, size, numbers, amount, done)
    return numbers, done


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [0, 1, 2, 5, 1000])
def test_every_part_is_done_once(threads, size):
    mc.set_num_threads(threads)
    numbers, done = _call(size)
    np.testing.assert_array_equal(numbers, 1)
    parts = count_parts(size)
    assert parts == max(1, min(threads, size))
    np.testing.assert_array_equal(done[:parts], 1)
    np.testing.assert_array_equal(done[parts:], 0)


def test_many_calls_in_a_row():
    mc.set_num_threads(3)
    numbers, done = np.zeros(100), np.zeros(32, np.int64)
    for _ in range(5000):
        run(_add, 100, numbers, 1.0, done)
    np.testing.assert_array_equal(numbers, 5000)
    np.testing.assert_array_equal(done[:3], 5000)


def test_helpers_that_fell_asleep_wake():
    mc.set_num_threads(2)
    for pause in (0, 0.0002, 0.001, 0.05):
        for _ in range(5):
            time.sleep(pause)
            np.testing.assert_array_equal(_call(10_000)[0], 1)


def test_calls_from_several_threads_at_once():
    mc.set_num_threads(2)
    wrong = []

    def work(amount):
        for _ in range(300):
            numbers, done = _call(2000, amount)
            if not (numbers == amount).all() or done.sum() != 2:
                wrong.append(amount)

    threads = [threading.Thread(target=work, args=(float(i + 1),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _in_child(queue):
    queue.put(_call(1000)[0].sum())


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*")
def test_a_forked_child_has_helpers_of_its_own():
    mc.set_num_threads(2)
    _call(1000)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == 1000
    child.join()
    np.testing.assert_array_equal(_call(1000)[0], 1)


def test_bits_do_not_depend_on_who_does_a_part():
    mc.set_num_threads(2)
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal((8, 24, 9, 9)).astype(np.float32) for _ in range(2))
    first = mc.kernels.conv2d_backward_weight(grad, x, (24, 24, 3, 3), padding=1)
    for _ in range(50):
        again = mc.kernels.conv2d_backward_weight(grad, x, (24, 24, 3, 3), padding=1)
        np.testing.assert_array_equal(again, first)
