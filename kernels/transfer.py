"""Arrays between the memory of the processor and that of GPUs: where one lies, and a copy of it elsewhere.

A device is a string: "cpu" for NumPy's arrays, "cuda:0", "cuda:1" ... for CuPy's. CuPy allocates and computes on the
*current* device of the thread, and refuses arrays of another one, so whoever computes with arrays says first:
`with on_device_of(array):`.

Copies keep the order of the axes in memory. Images are channels-last there, so that a transfer is one copy of a
block of bytes, and what comes back lies as it went.
"""

import math
from contextlib import nullcontext

import numpy as np

from .arrays import array_module

__all__ = ["by_device", "device_of", "on_device", "on_device_of", "to_device", "to_numpy"]

_stay = nullcontext()


def device_of(array):
    """The device whose memory holds the array: "cpu" or "cuda:N"."""
    return "cpu" if array_module(array) is np else f"cuda:{array.device.id}"


def on_device_of(array):
    """Context in which CuPy computes on the device of the array; of NumPy's arrays one that does nothing."""
    return _stay if array_module(array) is np else array.device


def on_device(device):
    """Context in which CuPy computes on the device "cuda:N"; nothing for "cpu"."""
    if device == "cpu":
        return _stay
    import cupy

    return cupy.cuda.Device(int(device.removeprefix("cuda:")))


def to_numpy(array):
    """The values as a NumPy array: NumPy's arrays themselves, CuPy's copied, after waiting for their computation."""
    if array_module(array) is np:
        return array
    order, back = _memory_order(array)
    return array.transpose(order).get().transpose(back)


def to_device(array, device):
    """The array itself if it lies on `device`, else a copy of it there. The device must exist."""
    if device_of(array) == device:
        return array
    if device == "cpu":
        return to_numpy(array)
    import cupy

    if array.size == 1 and device_of(array) == "cpu":  # one number is written, not transferred: nothing waits
        with on_device(device):
            return cupy.full(array.shape, array.item(), array.dtype)
    order, back = _memory_order(array)
    # CuPy copies between GPUs what is contiguous; it becomes so on the device where it lies.
    with on_device_of(array):
        block = array_module(array).ascontiguousarray(array.transpose(order))
    with on_device(device):
        copy = cupy.asarray(block) if isinstance(block, np.ndarray) else block.copy()
    return copy.reshape([array.shape[axis] for axis in order]).transpose(back)


def by_device(items, array=lambda item: item):
    """{device: the items whose `array(item)` lies there}, in their order."""
    found = {}
    for item in items:
        found.setdefault(device_of(array(item)), []).append(item)
    return found


def _memory_order(array):
    """The axes from the outermost in memory to the innermost, and the axes that undo this order.

    Those along which nothing changes, with a stride of 0, count as outermost.
    """
    order = sorted(range(array.ndim), key=lambda axis: -(abs(array.strides[axis]) or math.inf))
    return order, sorted(range(array.ndim), key=order.__getitem__)
