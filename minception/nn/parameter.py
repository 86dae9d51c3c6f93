"""The tensor that a module learns."""

from ..tensor import Tensor


class Parameter(Tensor):
    """A tensor that a `Module` lists among its parameters as soon as it is assigned to an attribute.

    `Parameter(data, requires_grad=True)` copies `data` (an array, a tensor or nested lists), which must be floating:
    RuntimeError otherwise. Operations on parameters return plain tensors.
    """

    def __init__(self, data, requires_grad=True):
        super().__init__(data, requires_grad=requires_grad)

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()
