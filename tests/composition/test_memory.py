"""What drawn networks keep in memory: what backward needs until it ran, and nothing afterwards.

NumPy reports the memory of its arrays to tracemalloc under a domain of its own, so array bytes are counted exactly,
apart from Python objects. The garbage collector is off: graphs have no cycles that would wait for it.
"""

import gc
import tracemalloc
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from tests.composition.graph import nodes_behind, owner, saved_arrays
from tests.composition.in_minception import Built
from tests.composition.networks import networks
from tests.composition.numbers import cotangent_array
from tests.composition.shapes import shapes_of


@contextmanager
def counted_bytes():
    """A function that returns the bytes of the arrays that were made since the start and still live."""
    domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)

    def count():
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([domain]).traces)

    gc.disable()
    tracemalloc.start()
    try:
        yield count
    finally:
        tracemalloc.stop()
        gc.enable()


def held_by_user(built, output):
    """The arrays behind leaves, buffers and the output."""
    return {id(owner(t._array)) for t in [output, *built.leaves.values(), *built.program.buffers()]}


def remember_tables(network):
    """Run a copy of the network, for the small tables that kernels make once for each shape and keep."""
    output = Built(network).run()
    if output.requires_grad:
        output.backward(cotangent_array(network))


@given(network=networks())
def test_backward_frees_what_the_graph_saved(network):
    remember_tables(network)
    built, cotangent = Built(network), cotangent_array(network)
    with counted_bytes() as count:
        output = built.run()
        kept = held_by_user(built, output)
        needed = {id(array): array for array in saved_arrays(output) if id(array) not in kept}
        assert count() >= sum(array.nbytes for array in needed.values())
        saved = [weakref.ref(array) for array in needed.values()]
        earlier = [weakref.ref(node) for node in nodes_behind(output)[1:]]
        del needed
        if output.requires_grad:
            output.backward(cotangent)
        assert all(reference() is None for reference in saved + earlier)  # although the output still lives
        built.forget_gradients()
        del output
        assert count() == 0


@given(network=networks())
def test_a_graph_that_nobody_walks_is_freed_with_its_output(network):
    remember_tables(network)
    built = Built(network)
    with counted_bytes() as count:
        output = built.run()
        kept = held_by_user(built, output)
        saved = [weakref.ref(array) for array in saved_arrays(output) if id(array) not in kept]
        assert all(array() is not None for array in saved)
        del output
        assert all(array() is None for array in saved)
        assert count() == 0


class InterruptionError(Exception):
    pass


@given(network=networks(), data=st.data())
def test_an_interrupted_backward_leaves_nothing_behind(network, data):
    """A hook on a drawn value raises; what was on its way then must not be held by anything."""
    remember_tables(network)
    built, cotangent = Built(network), cotangent_array(network)
    chosen = data.draw(st.sampled_from(list(shapes_of(network))))

    def interrupt(grad):
        raise InterruptionError

    def each(name, t):
        if name == chosen and t.requires_grad:
            handles.append(t.register_hook(interrupt))
        return t

    handles = []
    with counted_bytes() as count:
        output = built.run(each=each)
        try:
            if output.requires_grad:
                output.backward(cotangent)
        except InterruptionError:
            pass
        assert mc.is_grad_enabled()
        for handle in handles:
            handle.remove()
        handles.clear()
        built.forget_gradients()
        del output
        assert count() == 0


def test_the_count_sees_one_array():
    with counted_bytes() as count:
        array = np.ones(5)
        assert count() == 40
        del array
        assert count() == 0


@pytest.mark.parametrize("recording", [True, False])
@given(network=networks())
def test_no_grad_keeps_the_output_and_nothing_else(recording, network):
    built, values = Built(network), []
    expected = np.array(Built(network).run())
    with counted_bytes() as count:
        if recording:  # without a leaf that requires a gradient, nothing is recorded either
            for t in built.leaves.values():
                t.requires_grad_(False)
            output = built.run(each=lambda name, t: values.append(t.grad_fn) or t)
        else:
            with mc.no_grad():
                output = built.run(each=lambda name, t: values.append(t.grad_fn) or t)
        assert values == [None] * len(shapes_of(network))
        array = owner(output._array)
        own = id(array) not in {id(owner(t._array)) for t in built.inputs.values()}
        assert count() == (array.nbytes if own else 0)
    np.testing.assert_array_equal(output, expected)
