"""Whether there is a GPU to compute on, and if not, why."""

import functools
import re

OLDEST, TOO_NEW = (13, 4), (15,)  # versions of CuPy, as in pyproject.toml
INSTALL = 'pip install "minception[cuda12]" or "minception[cuda13]", whichever CUDA version nvidia-smi shows'


def count_gpus():
    """How many GPUs there are, at least 1. Raises RuntimeError where CuPy or a GPU is missing, in one sentence."""
    try:
        import cupy
    except ModuleNotFoundError:
        raise RuntimeError(f"CuPy is not installed: {INSTALL}") from None
    except ImportError as error:
        raise RuntimeError(f"CuPy is installed but cannot be imported: {_last_line(error)}") from None
    version = tuple(int(number) for number in re.findall(r"\d+", cupy.__version__)[:2])
    if not OLDEST <= version < TOO_NEW:
        raise RuntimeError(f"CuPy {cupy.__version__} does not suit, it takes 13.4 or later and less than 15: {INSTALL}")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(f"no NVIDIA GPU answers, or its driver is missing or too old: {error}") from None
    if count == 0:
        raise RuntimeError("there is no NVIDIA GPU")
    return count


def require_gpu():
    """Raise RuntimeError, saying what is missing, unless CuPy is installed and finds a GPU."""
    try:
        count_gpus()
    except RuntimeError as error:
        raise RuntimeError(f'the kernels "cuda" need an NVIDIA GPU and CuPy: {error}') from None


@functools.cache
def _generation(index):
    import cupy

    return int(cupy.cuda.Device(index).compute_capability)


def compute_capability():
    """That of the current GPU, times ten: 75 is Turing, 80 Ampere, 90 Hopper."""
    import cupy

    return _generation(cupy.cuda.Device().id)


def gpu_name(index):
    """What the GPU calls itself, such as "NVIDIA H200"."""
    import cupy

    return cupy.cuda.runtime.getDeviceProperties(index)["name"].decode()


def _last_line(error):
    """What CuPy's message of many lines, framed by "====", ends with: the original error."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line.strip("=")), type(error).__name__)
