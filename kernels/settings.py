"""Choices that hold for all kernels of a process, beside the number of threads."""

__all__ = ["PRECISIONS", "get_precision", "get_winograd", "set_precision", "set_winograd"]

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")

_winograd = 2
_precision = "float32"


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


def get_precision():
    """What the factors of convolutions of float32 arrays are rounded to on a GPU: "float32" if they are not."""
    return _precision


def set_precision(precision):
    """Round the factors of dense convolutions and linear layers in float32 on a GPU, both ways, for its tensor cores.

    precision: "float32" (the default) does not round. "tf32" keeps 10 of the 23 bits of a fraction, so that a
    product is off by about 2^-10 of itself at most, "bfloat16" keeps 7: 2^-7. Both keep the range of float32, so no
    loss has to be scaled. "float16" keeps 10 bits and a smaller range: beyond 65504 numbers become infinite, below
    2^-14 they lose bits, at 2^-25 all of them, so that small gradients need a loss that is scaled (`amp.GradScaler`).
    Sums are float32, and so are all arrays, the parameters and what optimizers keep of them too: they are the master
    copies. 1x1 convolutions and linear layers are left to cuBLAS, which may round less than it is allowed to. float64
    arrays, other operations and the CPU are not concerned, nor are GPUs without such tensor cores: those older than
    Ampere (compute capability 8.0), for "float16" older than Turing (7.5).

    Source: NVIDIA, "A100 Tensor Core GPU architecture" (2020), for TF32; Kalamkar et al., "A study of BFLOAT16 for deep
    learning training" (arXiv:1905.12322); Micikevicius et al., "Mixed precision training" (arXiv:1710.03740).

    Raises TypeError unless `precision` is a string, ValueError for an unknown one.
    """
    global _precision
    if not isinstance(precision, str):
        raise TypeError(f"set_precision: precision must be a string, got {precision!r}")
    if precision not in PRECISIONS:
        known = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"set_precision: precision must be one of {known}, got {precision!r}")
    _precision = precision
