"""What is said where no GPU can be used: one sentence, that names what is missing and what to do."""

import builtins
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minception as mc
from minception import nn
from minception.kernels.cuda.device import OLDEST, TOO_NEW
from minception.train import device as commands
from minception.train.config import ConfigError

from . import stand_in

INSTALL = 'pip install "minception[cuda12]" or "minception[cuda13]"'


def without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)


def with_broken_cupy(monkeypatch):
    """As where a library of CUDA is missing: CuPy's own message has many lines."""
    original = builtins.__import__

    def broken(name, *rest):
        if name == "cupy":
            line = "=" * 64
            raise ImportError(f"{line}\nFailed to import CuPy.\n\nOriginal error:\n  ImportError: no libnvrtc\n{line}")
        return original(name, *rest)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)


def module(monkeypatch, devices=2):
    made = stand_in.make_module(devices)
    monkeypatch.setitem(sys.modules, "cupy", made)
    return made


def of_version(version):
    return lambda monkeypatch: setattr(module(monkeypatch), "__version__", version)


def with_error(text):
    def condition(monkeypatch):
        def fails():
            raise stand_in.CUDARuntimeError(text)

        module(monkeypatch).cuda.runtime.getDeviceCount = fails

    return condition


CONDITIONS = {
    "no CuPy": (without_cupy, f"CuPy is not installed: {INSTALL}"),
    "a broken CuPy": (with_broken_cupy, "CuPy is installed but cannot be imported: ImportError: no libnvrtc"),
    "an old CuPy": (of_version("12.3.0"), "CuPy 12.3.0 does not suit, it takes 13.4 or later and less than 15"),
    "a slightly old CuPy": (of_version("13.3.0"), "CuPy 13.3.0 does not suit"),
    "a new CuPy": (of_version("15.0.0rc1"), "CuPy 15.0.0rc1 does not suit"),
    "no driver": (
        with_error("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"),
        "no NVIDIA GPU answers, or its driver is missing or too old: cudaErrorInsufficientDriver: CUDA driver version",
    ),
    "no device": (
        with_error("cudaErrorNoDevice: no CUDA-capable device is detected"), "cudaErrorNoDevice: no CUDA-capable device"
    ),
    "no GPU": (lambda monkeypatch: module(monkeypatch, devices=0), "there is no NVIDIA GPU"),
}  # fmt: skip


@pytest.fixture(params=CONDITIONS)
def reason(request, monkeypatch):
    condition, text = CONDITIONS[request.param]
    condition(monkeypatch)
    return text


def test_every_way_to_a_device_says_why_not(reason):
    x = mc.Tensor([1.0])
    ways = {
        "to": lambda: x.to("cuda"),
        "to: device 'cuda:0'": lambda: x.cuda(0),
        "Tensor": lambda: mc.Tensor([1.0], device="cuda"),
        "as_tensor": lambda: mc.as_tensor([1.0], device="cuda:1"),
        "Module.to": lambda: nn.Linear(1, 1).to("cuda"),
        'the kernels "cuda" need an NVIDIA GPU and CuPy': lambda: mc.use_kernels("cuda").__enter__(),
    }
    for name, way in ways.items():
        with pytest.raises(RuntimeError) as caught:
            way()
        message = str(caught.value)
        assert message.startswith(name) and reason in message and "\n" not in message


def test_commands_say_why_not_and_auto_does_without(reason, capsys):
    with pytest.raises(ConfigError) as caught:
        commands.find_device("cuda:0")
    assert str(caught.value).startswith("--device cuda:0: ") and reason in str(caught.value)
    assert str(caught.value).endswith("; --device cpu computes without")
    assert commands.find_device("cpu") == "cpu"
    assert commands.find_device("auto") == "cpu"
    note = capsys.readouterr().err
    assert note == "" if "not installed" in reason else note.startswith("Computing on the CPU: ") and reason in note


def test_auto_is_the_gpu_where_one_answers(cupy, capsys):
    assert commands.find_device("auto") == commands.find_device("cuda") == "cuda:0"
    assert commands.find_device("cuda:1") == "cuda:1" and commands.describe("cuda:1") == "cuda:1 (Stand-in 1)"
    with pytest.raises(ConfigError, match=r'--device cuda:2: there is only "cuda:0" to "cuda:1"'):
        commands.find_device("cuda:2")
    assert capsys.readouterr().err == ""


def test_one_gpu(monkeypatch):
    module(monkeypatch, devices=1)
    with pytest.raises(RuntimeError, match=r'device \'cuda:1\' is not available: there is only "cuda:0"$'):
        mc.Tensor([1.0]).to("cuda:1")


def test_kernels_fit_the_device():
    assert [commands.find_kernels(None, d) for d in ("cpu", "cuda:1")] == ["cpu", "cuda"]
    assert commands.find_kernels("reference", "cuda:1") == commands.find_kernels("reference", "cpu") == "reference"
    with pytest.raises(ConfigError, match="--kernels cpu: does not compute on --device cuda:0; choose cuda or refer"):
        commands.find_kernels("cpu", "cuda:0")


def test_versions_are_those_of_the_extras():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["cuda12"] == [f"cupy-cuda12x>={'.'.join(map(str, OLDEST))},<{TOO_NEW[0]}"]


def test_importing_and_training_import_no_cupy():
    code = (
        "import sys; sys.modules['cupy'] = None\n"
        "import minception as mc, minception.train.train_command, minception.predict.predict_command\n"
        "x = mc.Tensor([[1.0]], requires_grad=True); mc.nn.Linear(1, 1).to('cpu')(x).sum().backward()\n"
        "print(x.grad.device)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "cpu\n"
