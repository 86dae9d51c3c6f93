"""Whether there is a GPU to compute on."""


def require_gpu():
    """Raise RuntimeError, saying what is missing, unless CuPy is installed and finds a GPU."""
    try:
        import cupy
    except ImportError:
        raise RuntimeError(
            'the kernels "cuda" need CuPy, which is not installed: '
            'pip install "minception[cuda12]" or "minception[cuda13]"'
        ) from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(f'the kernels "cuda" need an NVIDIA GPU and its driver: {error}') from None
    if count == 0:
        raise RuntimeError('the kernels "cuda" need an NVIDIA GPU, and there is none')
