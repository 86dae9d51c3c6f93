"""GPUs, as in `torch.cuda`: how many there are, their names, waiting for them, their memory.

Devices are None, the current one, an index, or "cuda" and "cuda:N". Functions that need a GPU raise RuntimeError, with
the reason, where there is none, and TypeError for what is no device.
"""

from .cuda_graph import CUDAGraph, graph, is_current_stream_capturing
from .device import parse_device
from .kernels.transfer import on_device

__all__ = [
    "CUDAGraph",
    "current_device",
    "device_count",
    "get_device_name",
    "graph",
    "is_available",
    "is_current_stream_capturing",
    "memory_allocated",
    "synchronize",
]


def is_available():
    """Whether there is a GPU to compute on: an NVIDIA GPU with a driver, and CuPy."""
    return device_count() > 0


def device_count():
    """How many GPUs there are; 0 also where CuPy or a driver is missing."""
    from .kernels.cuda.device import count_gpus

    try:
        return count_gpus()
    except RuntimeError:
        return 0


def current_device():
    """The index of the GPU that "cuda" means."""
    return _index("current_device", None)


def get_device_name(device=None):
    """What a GPU calls itself, such as "NVIDIA H200"."""
    from .kernels.cuda.device import gpu_name

    return gpu_name(_index("get_device_name", device))


def synchronize(device=None):
    """Wait until a GPU has done all that it was given. Kernels are only launched, and Python goes on at once."""
    index = _index("synchronize", device)
    import cupy

    cupy.cuda.Device(index).synchronize()


def memory_allocated(device=None):
    """Bytes of a GPU's memory that arrays hold; what CuPy keeps to be used again does not count."""
    index = _index("memory_allocated", device)
    import cupy

    with on_device(f"cuda:{index}"):
        return cupy.get_default_memory_pool().used_bytes()


def _index(name, device):
    if device is None:
        device = "cuda"
    elif isinstance(device, int) and not isinstance(device, bool) and device >= 0:
        device = f"cuda:{device}"
    if device == "cpu":
        raise RuntimeError(f'{name}: a GPU is needed, got device "cpu"')
    return int(parse_device(name, device).removeprefix("cuda:"))
