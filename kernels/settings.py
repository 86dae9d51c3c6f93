"""Choices that hold for all kernels of a process, beside the number of threads."""

__all__ = ["get_winograd", "set_winograd"]

_winograd = 2


def get_winograd():
    """The width of the squares of outputs that Winograd convolution makes at a time on the CPU; 0 if it is not used."""
    return _winograd


def set_winograd(squares):
    """Let 3x3 convolutions in float32 on the CPU make squares of 2 (the default) or 4 outputs at a time, or 0: none.

    Winograd's algorithm (Lavin and Gray 2016) multiplies less the larger the squares, and rounds more. Root mean square
    error in units of eps times the sum of the absolute products, for 64 to 192 channels: outputs 0.07 to 0.11 directly,
    0.16 to 0.2 with squares of 2, 1.3 with squares of 4 (PyTorch 0.08 to 0.12); gradients of weights 0.12, 0.19, 0.70
    (PyTorch 0.23). A number that is not finite spoils the square of outputs around it, not only the windows that hold
    it.

    Raises TypeError unless `squares` is an integer, ValueError unless it is 0, 2 or 4.
    """
    global _winograd
    if isinstance(squares, bool) or not isinstance(squares, int):
        raise TypeError(f"set_winograd: squares must be an integer, got {squares!r}")
    if squares not in (0, 2, 4):
        raise ValueError(f"set_winograd: squares must be 0, 2 or 4, got {squares}")
    _winograd = squares
