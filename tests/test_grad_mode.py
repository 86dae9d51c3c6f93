"""no_grad and enable_grad: as context and decorator, nested, after exceptions, per thread."""

import threading

import numpy as np
import pytest

import minception as mc


@pytest.fixture
def x():
    return mc.Tensor([1.0, 2.0], requires_grad=True)


def test_no_grad_records_nothing(x):
    with mc.no_grad():
        assert not mc.is_grad_enabled()
        y = x * 2
    assert mc.is_grad_enabled()
    assert not y.requires_grad
    assert y.grad_fn is None
    assert y.is_leaf
    assert (x * 2).requires_grad


def test_nesting(x):
    with mc.no_grad():
        with mc.enable_grad():
            assert (x * 2).requires_grad
            with mc.no_grad():
                assert not (x * 2).requires_grad
            assert mc.is_grad_enabled()
        assert not mc.is_grad_enabled()


def test_the_mode_returns_after_an_exception():
    with pytest.raises(KeyError), mc.no_grad():
        raise KeyError
    assert mc.is_grad_enabled()


def test_one_instance_may_be_entered_again(x):
    mode = mc.no_grad()
    with mode:
        with mode:
            pass
        assert not mc.is_grad_enabled()
    assert mc.is_grad_enabled()


def test_decorators(x):
    @mc.no_grad()
    def double(t, recurse=True):
        """Twice t."""
        assert not mc.is_grad_enabled()
        return double(t, False) if recurse else t * 2

    @mc.enable_grad()
    def triple(t):
        return t * 3

    assert not double(x).requires_grad
    assert double.__doc__ == "Twice t."
    with mc.no_grad():
        assert triple(x).requires_grad
    assert mc.is_grad_enabled()


def run_in_threads(*functions):
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_a_new_thread_records(x):
    def work():
        assert mc.is_grad_enabled()
        (x * 3).sum().backward()

    with mc.no_grad():
        run_in_threads(work)
    assert x.grad.tolist() == [3, 3]


def test_threads_do_not_disturb_each_other():
    """Two threads inside one decorated function, leaving it in the order of entering."""
    both_inside, first_left = threading.Barrier(2), threading.Event()

    @mc.no_grad()
    def work(leaves_first):
        both_inside.wait(5)
        if not leaves_first:
            assert first_left.wait(5)
        assert not mc.is_grad_enabled()

    def first():
        work(True)
        assert mc.is_grad_enabled()
        first_left.set()

    def second():
        work(False)
        assert mc.is_grad_enabled()

    run_in_threads(first, second)


def test_backward_works_without_recording(x):
    y = (x * x).sum()
    with mc.no_grad():
        y.backward()
    assert x.grad.tolist() == [2, 4]


def test_constants_record_nothing():
    y = mc.Tensor(np.ones(2)) * 2 + np.ones(2)
    assert not y.requires_grad
    assert y.grad_fn is None
