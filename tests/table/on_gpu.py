"""The kernels of a GPU, called with arrays of the CPU: each call's arrays are copied there, and its results back.

So every face of every row can be asked of a GPU as it is of the CPU. A copy lies in memory as the array does, gaps,
strides and directions; what a kernel changes in place is changed here too.
"""

import dataclasses
from contextlib import contextmanager

import numpy as np

from minception import kernels
from minception.kernels.dispatch import observe
from minception.kernels.transfer import to_numpy


@contextmanager
def kernels_of(home):
    """Run the kernels of a home in the `with` block, for NumPy's arrays: of "cuda" too."""
    if home != "cuda":
        with kernels.use_kernels(home):
            yield
        return
    with kernels.use_kernels(home):
        pass  # says what is missing
    with observe(_on_gpu):
        yield


def _on_gpu(subject, function, args, kwargs):
    """The observer that computes on the GPU instead."""
    import cupy

    def belongs_to_gpu(value):
        return isinstance(value, cupy.ndarray) or (
            isinstance(value, (list, tuple)) and any(map(belongs_to_gpu, value))
        )

    if not isinstance(subject, str) or any(map(belongs_to_gpu, (*args, *kwargs.values()))):
        return function(*args, **kwargs)
    copies = {}  # id of an array here: (that array, its copy there)

    def there(array):
        if id(array) not in copies:
            copies[id(array)] = array, in_same_layout(array)
        return copies[id(array)][1]

    def here(array):
        for original, copy in copies.values():
            if copy is array:
                return original
        return to_numpy(array)

    args, kwargs = _changed(list(args), np.ndarray, there), _changed(kwargs, np.ndarray, there)
    results = getattr(kernels, subject)(*args, **kwargs)
    for original, copy in copies.values():
        values = to_numpy(copy)
        if values.tobytes() != original.tobytes():
            assert original.flags.writeable, f"{subject} wrote to a read-only argument"
            original[...] = values
    return _changed(results, cupy.ndarray, here)


def in_same_layout(array):
    """A copy on the GPU that has the strides of a NumPy array, of all memory from its first byte to its last."""
    import cupy

    if not array.size or any(stride % array.itemsize for stride in array.strides):
        return cupy.asarray(array)
    lowest = array[(..., *(slice(0, 1) if stride >= 0 else slice(-1, None) for stride in array.strides))]
    spans = [(size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True)]
    first, count = (sum(map(abs, part)) // array.itemsize for part in ([s for s in spans if s < 0], spans))
    memory = np.lib.stride_tricks.as_strided(lowest, (count + 1,), (array.itemsize,))
    return cupy.lib.stride_tricks.as_strided(cupy.asarray(memory)[first:], array.shape, array.strides)


def _changed(value, kind, change):
    """The value with `change` applied to the arrays of a kind in it, in tuples, dictionaries and dataclasses too."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {name: _changed(item, kind, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, kind, change) for item in value]
    if isinstance(value, tuple):
        items = [_changed(item, kind, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if dataclasses.is_dataclass(value):
        fields = {f.name: _changed(getattr(value, f.name), kind, change) for f in dataclasses.fields(value)}
        return type(value)(**fields)
    return value
