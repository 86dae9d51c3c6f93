"""A process that does pieces of work on one side, in turns.

    python -m benchmarks.gpu.worker SIDE TORCH_DEVICE [smoke]

SIDE is "minception", which may be followed by a precision (see `set_precision`), "-tf32" or "-bfloat16",
and by "-graph", for training steps as CUDA graphs; or "torch"
followed by any of "-channels_last", "-autocast", "-compile" (see `training_steps`) and "-tf32". Without that, float32
is multiplied as such, by both libraries: no TF32.

Jobs: {"case": {...}}, a single kernel, whose times are the GPU's; {"work": {...}}, a training step, whose times are
those that pass; {"roof": true}, of our side, answered by what the GPU can do. Memory is the most that the library's
pool has taken from the GPU.
"""

import statistics
import sys

from .. import in_torch, ours
from ..cases import Case
from ..serving import serve
from ..sides import OURS
from ..training_steps import minception_step, torch_step
from ..work import Work
from .timing import BUFFER_BYTES, SMALL_BUFFER_BYTES, CupyClock, TorchClock, seconds_of_calls

DEVICE = "cuda:0"
WARM_UP_CALLS, WARM_UP_STEPS = 3, 3  # the first compiles, makes memory or chooses algorithms
TURN_SECONDS, MOST_CALLS = 0.02, 20  # of kernels
STEPS_SECONDS, MOST_STEPS = 0.2, 50  # of training steps
MATRIX_SIZE, SMALL_MATRIX_SIZE = 8192, 16


class Ours:
    """minception's side, in a mode."""

    def __init__(self, mode, smoke):
        import minception as mc

        _, *words = mode.split("-")
        self.graphed = "graph" in words
        mc.set_precision(next((word for word in words if word != "graph"), "float32"))
        self.clock = CupyClock(SMALL_BUFFER_BYTES if smoke else BUFFER_BYTES)
        self.smoke = smoke

    def prepare_case(self, case):
        """(function, what the floor is computed from)."""
        function = ours.prepare(case, DEVICE)
        flops, bytes = ours.floor(function)
        return function, {"flops": flops, "bytes": bytes}

    def prepare_work(self, work):
        return minception_step(work, DEVICE, self.graphed)

    def roof(self):
        """FLOP and bytes per second: of a product of matrices by cuBLAS (in TF32 if this process has CUPY_TF32, see
        `team`), and of copying the clock's buffer."""
        import cupy

        size = SMALL_MATRIX_SIZE if self.smoke else MATRIX_SIZE
        a, b = (cupy.asarray(ours.draw((size, size), seed)) for seed in range(2))
        product = cupy.empty_like(a)
        source = cupy.asarray(ours.draw((self.clock.buffer_bytes // 4,)))
        target = cupy.empty_like(source)

        def copy():
            target[...] = source

        multiplying, copying = (
            min(self.clock.seconds(function) for _ in range(MOST_CALLS))
            for function in (lambda: cupy.matmul(a, b, out=product), copy)
        )
        return {"flops_per_second": 2 * size**3 / multiplying, "bytes_per_second": 2 * source.nbytes / copying}

    def forget(self):
        """Give the memory of earlier work back, so that the peak is that of what comes."""
        import cupy

        self.clock.buffer = None
        cupy.get_default_memory_pool().free_all_blocks()

    def memory(self):
        """MiB that CuPy's pool holds: what was freed stays in it, so that this is the peak."""
        import cupy

        return cupy.get_default_memory_pool().total_bytes() / 2**20


class Torchs:
    """PyTorch's side, in a mode."""

    def __init__(self, mode, device, smoke):
        import torch

        torch.set_float32_matmul_precision("high" if "tf32" in mode else "highest")
        torch.backends.cudnn.allow_tf32 = "tf32" in mode
        torch.backends.cudnn.benchmark = True  # the fastest of its algorithms for each shape
        if device == "cpu":
            torch.set_num_threads(1)  # for a trial, which must not disturb the others
        self.mode, self.device = mode, device
        self.clock = TorchClock(device, SMALL_BUFFER_BYTES if smoke else BUFFER_BYTES)

    def prepare_case(self, case):
        import torch

        torch.set_grad_enabled(False)
        return in_torch.prepare(case, "channels_last" in self.mode, self.device), {}

    def prepare_work(self, work):
        import torch

        torch.set_grad_enabled(True)
        return torch_step(work, self.mode, self.device)

    def forget(self):
        import torch

        self.clock.buffer = None
        if self.device != "cpu":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def memory(self):
        import torch

        return 0.0 if self.device == "cpu" else torch.cuda.max_memory_reserved() / 2**20


def prepare(side, job):
    """(function that returns the seconds of what it does, calls of it in a turn, facts), warmed up."""
    side.forget()
    if "roof" in job:
        return None, 0, side.roof()
    if "case" in job:
        function, facts = side.prepare_case(Case.from_dict(job["case"]))

        def measure():
            return side.clock.seconds(function)

        for _ in range(WARM_UP_CALLS - 1):
            measure()
        return measure, _as_many(measure(), TURN_SECONDS, MOST_CALLS), facts
    step = side.prepare_work(Work(**job["work"]))
    for _ in range(WARM_UP_STEPS - 1):
        seconds_of_calls(side.clock, step, 1)
    steps = _as_many(seconds_of_calls(side.clock, step, 1), STEPS_SECONDS, MOST_STEPS)
    return (lambda: seconds_of_calls(side.clock, step, steps)), 1, {"steps": steps}


def _as_many(seconds_of_one, seconds, most):
    return max(1, min(most, int(seconds / max(seconds_of_one, 1e-9))))


def turn(measure, calls):
    """Seconds, as the median of so many times."""
    return statistics.median(measure() for _ in range(calls))


def main(name, torch_device, smoke=""):
    side = Ours(name, bool(smoke)) if name.startswith(OURS) else Torchs(name, torch_device, bool(smoke))
    serve(lambda job: prepare(side, job), turn, side.memory)


if __name__ == "__main__":
    main(*sys.argv[1:])
