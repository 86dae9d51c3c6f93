"""Devices: the processor, "cpu", and GPUs, "cuda:0", "cuda:1" ...; "cuda" is the current one, as in PyTorch.

A tensor lies on one device, and operations run where their tensors lie. Nothing moves by itself but numbers: tensors of
two devices in one operation are an error.
"""

import re

from .kernels.transfer import device_of

__all__ = ["parse_device", "require_one_device"]


def parse_device(name, device):
    """The device as "cpu" or "cuda:N".

    Raises, in the name of the operation `name`, TypeError for what is no string, RuntimeError for an unknown device or
    one that is not there, with the reason.
    """
    if not isinstance(device, str):
        raise TypeError(f'{name}: a device is a string, "cpu", "cuda" or "cuda:N", got {device!r}')
    if device == "cpu":
        return device
    found = re.fullmatch(r"cuda(?::(\d+))?", device)
    if found is None:
        raise RuntimeError(f'{name}: unknown device {device!r}, known are "cpu", "cuda" and "cuda:N"')
    from .kernels.cuda.device import count_gpus

    try:
        count = count_gpus()
    except RuntimeError as error:
        raise RuntimeError(f"{name}: device {device!r} is not available: {error}") from None
    if found[1] is None:
        import cupy

        return f"cuda:{cupy.cuda.runtime.getDevice()}"
    if int(found[1]) >= count:
        last = f' to "cuda:{count - 1}"' if count > 1 else ""
        raise RuntimeError(f'{name}: device {device!r} is not available: there is only "cuda:0"{last}')
    return f"cuda:{int(found[1])}"


def require_one_device(name, *arrays):
    """The device that all arrays (or None) lie on; "cpu" for none. Raises RuntimeError, naming both, for two."""
    devices = list(dict.fromkeys(device_of(array) for array in arrays if array is not None))
    if len(devices) > 1:
        raise RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two devices, "
            f"{devices[0]} and {devices[1]}! Move one with .to({devices[0]!r})"
        )
    return devices[0] if devices else "cpu"
