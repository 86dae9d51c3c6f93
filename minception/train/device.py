"""Where the commands compute: what `--device` and `--kernels` mean, and what is said when memory is not enough."""

import re
from contextlib import contextmanager

from minception.device import parse_device
from minception.kernels.transfer import device_of
from minception.nn.fuse import FusedConv2d

from .config import KERNELS, ConfigError
from .errors import RunError
from .progress import note

DEVICE_HELP = (
    "cpu | cuda | cuda:N | auto; cuda is an NVIDIA GPU, by way of CuPy; auto is cuda where a GPU answers, else cpu "
    "(default auto)"
)
KERNELS_HELP = (
    "cpu or cuda: the fast kernels of that device; reference: the plain ones of any device, slower and made to be read "
    "(default: the fast ones)"
)


def find_device(device):
    """The device that `--device` means, "cpu" or "cuda:N".

    "auto" says why it is the CPU where CuPy is installed. Raises ConfigError for one that is unknown or not there.
    """
    if device == "auto":
        try:
            return parse_device("auto", "cuda")
        except RuntimeError as error:
            if "not installed" not in str(error):
                note(f"Computing on the CPU: {_reason(error)}")
            return "cpu"
    if re.fullmatch(r"cpu|cuda(:\d+)?", device) is None:
        raise ConfigError(f"--device {device}: unknown; choose auto, cpu, cuda or cuda:N")
    try:
        return parse_device("--device", device)
    except RuntimeError as error:
        raise ConfigError(f"--device {device}: {_reason(error)}; --device cpu computes without") from None


def find_kernels(kernels, device):
    """The kernels that `--kernels`, or None, means on a device. ConfigError for unknown ones and another device's."""
    fast = device.partition(":")[0]
    if kernels is None:
        return fast
    if kernels not in KERNELS:
        raise ConfigError(f"--kernels {kernels}: unknown; choose one of {', '.join(KERNELS)}")
    if kernels not in (fast, "reference"):
        raise ConfigError(f"--kernels {kernels}: does not compute on --device {device}; choose {fast} or reference")
    return kernels


def device_of_model(model):
    """The device of a module's first parameter or buffer, or of the weights of a fused layer; "cpu" without any."""
    for module in model.modules():
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                return tensor.device
        if isinstance(module, FusedConv2d):
            return device_of(module.prepared.weight)
    return "cpu"


def describe(device):
    """The device for people: a GPU with its name."""
    if device == "cpu":
        return device
    from minception.kernels.cuda.device import gpu_name

    return f"{device} ({gpu_name(int(device.removeprefix('cuda:')))})"


@contextmanager
def explaining_memory(device, batch_size, advice="a smaller network"):
    """Inside the `with` block, an allocation that fails becomes a RunError: which one, at what batch size, and what to
    try. CuPy's and NumPy's own errors name the allocation."""
    try:
        yield
    except MemoryError as error:
        options = [f"--batch-size {batch_size // 2}"] if batch_size > 1 else []
        options += [advice, *(["--device cpu"] if device != "cpu" else [])]
        shared = "" if device == "cpu" else " Other programs may hold memory of the GPU too: nvidia-smi lists them."
        raise RunError(
            f"out of memory on {device} with --batch-size {batch_size}: {error or 'an allocation failed'}\n"
            f"What may help: {', or '.join(options)}.{shared}"
        ) from error


def _reason(error):
    """Why a device is not available, without the name of the call that found out."""
    return str(error).partition(" is not available: ")[2] or str(error)
