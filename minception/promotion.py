"""Dtypes: what an array-like becomes, and what two operands promote to (PyTorch's rules).

Categories are bool < integer < floating. A Python number or a 0-d tensor changes the result's dtype only if its
category is higher than that of the tensors with dimensions; within a category the wider dtype wins. Source:
PyTorch documentation, "Tensor Attributes: type promotion".
"""

import numpy as np

from .kernels.transfer import on_device_of

DEFAULT_FLOAT = np.dtype(np.float32)
DTYPES = tuple(
    np.dtype(t)
    for t in (np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64)
)


def check_dtype(name, dtype):
    """Return `dtype`, or raise TypeError unless tensors can have it."""
    if dtype not in DTYPES:
        raise TypeError(f"{name}: tensors cannot have dtype {dtype}; use one of {', '.join(map(str, DTYPES))}")
    return dtype


def parse_dtype(name, dtype):
    """The NumPy dtype that `dtype` names, or raise TypeError unless tensors can have it."""
    try:
        if dtype is None:  # NumPy would read it as float64
            raise TypeError
        return check_dtype(name, np.dtype(dtype))
    except TypeError:
        known = ", ".join(map(str, DTYPES))
        raise TypeError(f"{name}: tensors cannot have dtype {dtype}; use one of {known}") from None


def as_array(data, dtype=None, name="Tensor"):
    """The array of a tensor or array-like, copied only if the dtype must change; Python floats give float32.

    Raises TypeError, in the name of the operation `name`, for what cannot become a tensor of that dtype, ValueError
    for nested lists of uneven lengths.
    """
    if dtype is not None:
        dtype = parse_dtype(name, dtype)
    array = getattr(data, "_array", None)
    if array is None:
        array = data if hasattr(data, "strides") and hasattr(data, "dtype") else _from_items(data, name)
        if array.dtype.kind not in "buif":
            raise TypeError(f"{name}: a tensor cannot be made from {type(data).__name__} of dtype {array.dtype}")
        if array.dtype == np.float64 and not hasattr(data, "dtype") and dtype is None:
            dtype = _dtype_of_items(data)
    if dtype is not None:
        with np.errstate(over="ignore"), on_device_of(array):
            array = array.astype(dtype, copy=False)
    check_dtype(name, array.dtype)
    return array


def _from_items(data, name):
    try:
        return np.asarray(data)
    except ValueError:
        raise ValueError(f"{name}: nested lists must have the same lengths at each depth") from None


def _dtype_of_items(data):
    """The widest floating dtype in nested lists, where Python numbers count as the default."""
    if isinstance(data, (list, tuple)):
        return max((_dtype_of_items(item) for item in data), default=DEFAULT_FLOAT)
    if type(data) in (bool, int, float):  # not isinstance: np.float64 is a float
        return DEFAULT_FLOAT
    dtype = np.asarray(data).dtype
    return dtype if dtype.kind == "f" else DEFAULT_FLOAT


def category(dtype):
    """0 for bool, 1 for integers, 2 for floating dtypes."""
    return {"b": 0, "u": 1, "i": 1, "f": 2}[dtype.kind]


def result_dtype(*operands):
    """Dtype of an arithmetic operation on arrays and Python numbers."""
    ranks = ([], [], [])  # dtypes of arrays with dimensions, of 0-d arrays, of Python numbers
    for operand in operands:
        if hasattr(operand, "dtype"):
            ranks[0 if operand.ndim else 1].append(check_dtype("operand", operand.dtype))
        else:
            kind = check_dtype("operand", np.asarray(operand).dtype)
            ranks[2].append(DEFAULT_FLOAT if kind.kind == "f" else kind)
    result = None
    for dtypes in ranks:
        if dtypes:
            candidate = np.result_type(*_highestcategory(dtypes))
            if result is None or category(candidate) > category(result):
                result = candidate
    return result


def _highestcategory(dtypes):
    top = max(map(category, dtypes))
    return [dtype for dtype in dtypes if category(dtype) == top]
