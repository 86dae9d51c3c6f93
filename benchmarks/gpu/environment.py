"""The part "environment": what the times depend on."""

import os
import platform
import shutil
import subprocess

import numpy as np

QUERY = ("name", "driver_version", "power.limit", "clocks.max.sm", "clocks.max.mem", "ecc.mode.current")
PROPERTIES = ("major", "minor", "multiProcessorCount", "totalGlobalMem", "l2CacheSize")


def run(settings, report):
    """Fill the report with names, versions and sizes, all plain values; None where nothing says."""
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    reason = why_no_torch(settings.torch_device)
    report.result |= {
        "gpu": properties["name"].decode(),
        **{name: properties.get(name) for name in PROPERTIES},
        "nvidia-smi": nvidia_smi(),
        "driver supports CUDA": version(runtime.driverGetVersion()),
        "CUDA of CuPy": version(runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
        "torch": torch_versions(),
        "torch_device": settings.torch_device,
        "without torch": reason,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "CUPY_TF32": os.environ.get("CUPY_TF32"),
    }
    if reason is not None:
        report.notes.append(f"columns of PyTorch are empty: {reason}")


def why_no_torch(device):
    """Why PyTorch cannot compute on a device, in words; None if it can."""
    try:
        import torch
    except ImportError as error:
        return f"PyTorch cannot be imported: {error}"
    if device == "cpu" or torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} was built without CUDA"
    return f"PyTorch {torch.__version__} finds no GPU that it can use"


def torch_versions():
    """Versions of PyTorch and of the libraries that it brings; None without it."""
    try:
        import torch
    except ImportError:
        return None
    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    return {"version": torch.__version__, "CUDA": torch.version.cuda, "cuDNN": cudnn}


def version(number):
    """CUDA's numbers as people write them: 12090 is "12.9"."""
    return f"{number // 1000}.{number % 1000 // 10}"


def nvidia_smi():
    """What nvidia-smi says of the first GPU; None without it."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--id=0", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(zip(QUERY, done.stdout.strip().split(", "), strict=False))


def processor():
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


def lines(result):
    for name, value in result.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
        if value is not None:
            yield f"{name:24} {value}"
