"""The memory that a recorded forward pass keeps for the backward pass, measured on the arrays themselves."""

from dataclasses import dataclass

from ..kernels.arrays import is_array
from .operations import BATCH, Call


@dataclass(frozen=True)
class Saved:
    """Bytes that an operation was the first to keep for backward: what grows with the batch, per image, and the rest.

    operation: its number, None if it does not depend on the image.
    """

    call: Call
    operation: int | None
    per_image: int
    fixed: int


def saved_by(nodes, owners, numbers, model, images):
    """A list of `Saved`: the memory that nodes of the graph keep, each piece with the first that keeps it.

    nodes: in the order in which they ran. owners: the `Call` of each. numbers: those of the operations among them.
    Parameters, buffers and the images are not counted; nor is what depends on no parameter, and is recorded here only
    because the images need a gradient.
    """
    parameters = set(model.parameters())
    seen = {id(memory_of(tensor._array)) for tensor in (images, *parameters, *model.buffers())}
    recorded = set()
    saved = []
    for node in nodes:
        origins = [edge.origin for edge in node.edges if edge is not None]
        if not any(origin in parameters or origin in recorded for origin in origins):
            continue
        recorded.add(node)
        for array in kept_arrays(node):
            memory = memory_of(array)
            if id(memory) in seen:
                continue
            seen.add(id(memory))
            grows = array.ndim > 1 and len(array) == BATCH
            sizes = (memory.nbytes // BATCH, 0) if grows else (0, memory.nbytes)
            saved.append(Saved(owners[node], numbers.get(node), *sizes))
    return saved


def kept_arrays(node):
    """The arrays that a node of the graph holds on to."""
    for value in (*vars(node.saved).values(), *vars(node).values()):
        for item in value if isinstance(value, tuple) else (value,):
            if is_array(item):
                yield item


def memory_of(array):
    """The array that owns the memory of `array`, which may be a view."""
    while is_array(array.base):
        array = array.base
    return array
