"""Looking at the graph behind a tensor: its nodes, the arrays they keep, and the order in which they run."""

from contextlib import contextmanager
from unittest import mock

import numpy as np

from minception.autograd import Function


def nodes_behind(output):
    """All nodes that `output` depends on, each once."""
    found = {} if output.grad_fn is None else {output.grad_fn: None}
    stack = list(found)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and isinstance(edge.origin, Function) and edge.origin not in found:
                found[edge.origin] = None
                stack.append(edge.origin)
    return list(found)


def owner(array):
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def saved_arrays(output):
    """The owners of all arrays that the graph behind `output` keeps for backward."""
    kept = [array for node in nodes_behind(output) for array in vars(node.saved).values()]
    return [owner(array) for array in kept if isinstance(array, np.ndarray)]


@contextmanager
def recorded_visits():
    """A list to which every node is added when its backward runs."""
    visited, run_backward = [], Function.run_backward

    def recording(node, grad_output):
        visited.append(node)
        return run_backward(node, grad_output)

    with mock.patch.object(Function, "run_backward", recording):
        yield visited
