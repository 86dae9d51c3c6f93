"""Wrong calls of what stands around the operations: Function, gradcheck, settings, models, checkpoints."""

from pathlib import Path

import numpy as np

import minception as mc
from minception import Function, checkpoint, cuda, gradcheck, kernels, nn
from minception.gradcheck import GradcheckError

from .samples import tensor
from .table import not_integers, not_reals, of_devices, wrong

HERE = Path(__file__).parent
NOWHERE = HERE / "nowhere.safetensors"


def x64(*shape):
    return tensor(*shape, dtype=np.float64, requires_grad=True)


class NoForward(Function):
    """Lacks both methods."""


class NoBackward(Function):
    """Lacks the second method."""

    def forward(self, x):
        return x * 2


class TooFew(Function):
    """Returns one gradient for two inputs."""

    def forward(self, x, y):
        return x + y

    def backward(self, grad_output):
        return grad_output


class WrongShape(Function):
    """Returns a gradient without axes."""

    def forward(self, x):
        return x * 2

    def backward(self, grad_output):
        return grad_output.sum()


class WrongGradient(WrongShape):
    """Returns another gradient than that of its formula."""

    def backward(self, grad_output):
        return grad_output


def use(name):
    with kernels.use_kernels(name):
        pass


def noise(x):
    return x * float(np.random.default_rng().random())


USE_KERNELS = [
    wrong("unknown", lambda: use("gpu"), ValueError, "unknown kernels 'gpu'", "'reference', 'cpu', 'cuda'"),
    wrong("None", lambda: use(None), ValueError, "unknown kernels None", "'reference', 'cpu'"),
]


def of_gpus(function):
    """A function of a GPU, which the CPU is none."""
    needs = wrong("cpu", lambda: function("cpu"), RuntimeError, 'a GPU is needed, got device "cpu"')
    return [*of_devices(function), needs]


TABLES = {
    "cuda.get_device_name": of_gpus(cuda.get_device_name),
    "cuda.memory_allocated": of_gpus(cuda.memory_allocated),
    "cuda.synchronize": of_gpus(cuda.synchronize),
    "cuda.graph": [
        wrong("no graph", lambda: cuda.graph(1).__enter__(), TypeError, "expected a CUDAGraph, got int"),
        wrong("a class", lambda: cuda.graph(cuda.CUDAGraph).__enter__(), TypeError, "expected a CUDAGraph, got type"),
    ],
    "CUDAGraph.replay": [
        wrong("nothing captured", lambda: cuda.CUDAGraph().replay(), RuntimeError, "nothing has been captured"),
    ],
    "minception.use_kernels": USE_KERNELS,
    "minception.set_num_threads": [
        *not_integers("count", mc.set_num_threads),
        wrong("count zero", lambda: mc.set_num_threads(0), ValueError, "count must be positive, got 0"),
        wrong("count negative", lambda: mc.set_num_threads(-2), ValueError, "count must be positive, got -2"),
    ],
    "minception.set_workspace_limit": [
        *not_integers("limit", mc.set_workspace_limit),
        wrong("limit negative", lambda: mc.set_workspace_limit(-1), ValueError, "limit must not be negative, got -1"),
    ],
    "minception.set_precision": [
        wrong("no string", lambda: mc.set_precision(16), TypeError, "precision must be a string, got 16"),
        wrong("unknown", lambda: mc.set_precision("half"), ValueError, "'tf32', 'bfloat16'", "got 'half'"),
    ],
    "minception.set_winograd": [
        *not_integers("squares", mc.set_winograd),
        wrong("squares of 3", lambda: mc.set_winograd(3), ValueError, "squares must be 0, 2 or 4, got 3"),
        wrong("squares negative", lambda: mc.set_winograd(-2), ValueError, "squares must be 0, 2 or 4, got -2"),
    ],
    "minception.manual_seed": [
        *not_integers("seed", mc.manual_seed),
        wrong("seed negative", lambda: mc.manual_seed(-1), ValueError, "seed must not be negative, got -1"),
    ],
    "minception.Function": [
        wrong("no forward", lambda: NoForward.apply(x64(2)), NotImplementedError, "NoForward", "forward method"),
        wrong("no backward", lambda: NoBackward.apply(x64()).backward(), NotImplementedError, "NoBackward", "backward"),
        wrong("an array", lambda: NoBackward.apply(np.ones(2)), TypeError, "NoBackward: input 0 must be a Tensor"),
        wrong(
            "too few gradients",
            lambda: TooFew.apply(x64(), x64()).backward(),
            RuntimeError,
            "TooFew.backward: expected 2 gradients",
            "got 1",
        ),
        wrong(
            "gradient of another shape",
            lambda: WrongShape.apply(x64(2)).sum().backward(),
            RuntimeError,
            "WrongShape.backward: the gradient of input 0 must have shape (2,), got shape ()",
        ),
    ],
    "minception.gradcheck": [
        wrong("not callable", lambda: gradcheck(3, x64(2)), TypeError, "function must be callable, got 3"),
        wrong("no tensor", lambda: gradcheck(np.exp, np.ones(2)), ValueError, "no input requires a gradient"),
        wrong("float32", lambda: gradcheck(mc.Tensor.exp, tensor(2, requires_grad=True)), ValueError, "float64 leaf"),
        wrong("no leaf", lambda: gradcheck(mc.Tensor.exp, x64(2) * 2), ValueError, "input 0 must be a float64 leaf"),
        wrong(
            "returns arrays",
            lambda: gradcheck(lambda x: x.numpy(), x64(2)),
            TypeError,
            "must return tensors",
            "ndarray",
        ),
        wrong(
            "returns float32", lambda: gradcheck(lambda x: x.float(), x64(2)), ValueError, "must be float64", "float32"
        ),
        wrong("is random", lambda: gradcheck(noise, x64(2)), ValueError, "different values for the same inputs"),
        wrong(
            "wrong gradient", lambda: gradcheck(WrongGradient.apply, x64(2)), GradcheckError, "input 0", "worst element"
        ),
        *not_reals("eps", lambda bad: gradcheck(mc.Tensor.exp, x64(2), eps=bad), nan="must be positive"),
        wrong(
            "eps zero", lambda: gradcheck(mc.Tensor.exp, x64(2), eps=0.0), ValueError, "eps must be positive, got 0.0"
        ),
        *not_reals("atol", lambda bad: gradcheck(mc.Tensor.exp, x64(2), atol=bad)),
        *not_reals("rtol", lambda bad: gradcheck(mc.Tensor.exp, x64(2), rtol=bad)),
    ],
    "checkpoint.save": [
        wrong("an object", lambda: checkpoint.save(NOWHERE, {"a": [object()]}), TypeError, "a.0 is of type object"),
        wrong("a tensor", lambda: checkpoint.save(NOWHERE, {"a": tensor(2)}), TypeError, "a is of type Tensor"),
        wrong("a key", lambda: checkpoint.save(NOWHERE, {"a": {1.5: 2}}), TypeError, "a has the key 1.5", "str or int"),
        wrong(
            "two arrays of one name",
            lambda: checkpoint.save(NOWHERE, {"a.b": np.ones(1), "a": {"b": np.ones(1)}}),
            ValueError,
            "two arrays would be named 'a.b'",
        ),
    ],
    "checkpoint.load": [
        wrong("no file", lambda: checkpoint.load(NOWHERE), checkpoint.CheckpointError, str(NOWHERE), "no such file"),
        wrong("a folder", lambda: checkpoint.load(HERE), checkpoint.CheckpointError, str(HERE), "cannot be read"),
        wrong("foreign", lambda: checkpoint.load(__file__), checkpoint.CheckpointError, __file__, "not a safetensors"),
    ],
    "checkpoint.load_weights": [
        wrong("no file", lambda: checkpoint.load_weights(NOWHERE), checkpoint.CheckpointError, str(NOWHERE), "no such"),
        wrong(
            "foreign", lambda: checkpoint.load_weights(__file__), checkpoint.CheckpointError, "not a safetensors file"
        ),
    ],
    "checkpoint.kind": [
        wrong("no file", lambda: checkpoint.kind(NOWHERE), checkpoint.CheckpointError, str(NOWHERE), "no such file"),
    ],
    "checkpoint.load_into": [
        wrong(
            "keys that do not fit",
            lambda: checkpoint.load_into(nn.Linear(2, 3), {}, NOWHERE),
            checkpoint.CheckpointError,
            str(NOWHERE),
            "do not fit the model",
            "Missing key",
        ),
    ],
}
