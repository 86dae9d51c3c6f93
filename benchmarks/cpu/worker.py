"""A process that does pieces of work on one side, in turns.

Sides are processes of their own because the thread pools of two libraries in one process disturb each other.

    python -m benchmarks.cpu.worker SIDE THREADS

SIDE is "minception", "torch" or "torch-compile", either of the last two with "-channels_last", and for evaluation with
"-folded": batch norm is folded into the convolutions, and compilation takes the weights for constants. On stdin come
lines of JSON, and each is answered by one on stdout. {"work": NAME} prepares a training step or an evaluation,
{"case": {...}} a single kernel; both warm it up and answer {"ready": true, ...}, or {"error": TEXT}. {"turn": true}
does it, and answers {"seconds": S, "memory": MIB}: the time, and the most memory that this process has had so far.
Evaluation is that of the network after `fuse()`, and of PyTorch's in `inference_mode`.
"""

import contextlib
import json
import resource
import statistics
import sys
import time
import traceback

import numpy as np

from .cases import Case
from .work import WORK

SETTINGS = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
WARM_UP_SECONDS, WARM_UP_STEPS = 1.0, 3
# A kernel is called several times in a turn, which gives their median.
CASE_WARM_UP_SECONDS, CASE_WARM_UP_CALLS, TURN_SECONDS, MOST_CALLS = 0.03, 3, 0.01, 200


def data(work):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((work.batch, 3, work.size, work.size)).astype(np.float32)
    return images, rng.integers(0, work.num_classes, work.batch)


def minception_step(work, threads):
    import minception as mc
    import minception.functional as F
    from minception import models, optim
    from minception.memory import keep_freed_memory

    keep_freed_memory()
    mc.set_num_threads(threads)
    model = models.create(work.network, num_classes=work.num_classes, **work.options).train(work.training)
    images, labels = data(work)
    images = mc.Tensor(images)
    if not work.training:
        model = model.fuse()

        def evaluate():
            with mc.no_grad():
                model(images)

        return evaluate
    optimizer = optim.SGD(model.parameters(), **SETTINGS)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def torch_step(work, threads, compiled, channels_last, folded):
    import torch
    from torch.fx.experimental.optimization import fuse

    from tests.models.twins import TWINS

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = TWINS[work.network](num_classes=work.num_classes, **work.options).train(work.training)
    images, labels = map(torch.from_numpy, data(work))
    if folded:
        model = fuse(model)
        torch._inductor.config.freezing = True
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model
    if not work.training:

        def evaluate():
            with torch.inference_mode():
                run(images)

        return evaluate
    optimizer = torch.optim.SGD(model.parameters(), fused=True, **SETTINGS)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(run(images), labels).backward()
        optimizer.step()

    return step


def prepare_work(side, name, threads):
    """(function, calls in a turn, nothing more to say) of a training step or an evaluation, warmed up."""
    (work,) = (work for work in WORK if work.name == name)
    if side == "minception":
        step = minception_step(work, threads)
    else:
        step = torch_step(work, threads, *(word in side for word in ("compile", "channels_last", "folded")))
    warm_up(step, WARM_UP_STEPS, WARM_UP_SECONDS)
    return step, 1, {}


def prepare_case(side, case, threads):
    """(function, calls in a turn, the floor's FLOP and bytes if this side is ours) of a kernel, warmed up."""
    from . import in_torch, ours

    facts = {}
    if side == "minception":
        import minception as mc
        from minception.memory import keep_freed_memory

        keep_freed_memory()
        mc.set_num_threads(threads)
        function = ours.prepare(case)
        facts["flops"], facts["bytes"] = ours.floor(function)
    else:
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        function = in_torch.prepare(case, "channels_last" in side)
    return function, calls_in_a_turn(function), facts


def calls_in_a_turn(function):
    """How often to call a warmed-up function in a turn, so that it takes some milliseconds."""
    seconds = warm_up(function, CASE_WARM_UP_CALLS, CASE_WARM_UP_SECONDS)
    return max(1, min(MOST_CALLS, int(TURN_SECONDS / seconds)))


def warm_up(function, calls, seconds):
    """Call it so many times and for so long; return the least time of a call."""
    started = time.perf_counter()
    times = []
    while len(times) < calls or time.perf_counter() - started < seconds:
        times.append(timed(function))
    return min(times)


def timed(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def serve(prepare):
    """Answer the lines of stdin until they end. `prepare(job)` returns (function, calls in a turn, facts)."""
    function = calls = None
    for line in sys.stdin:
        job = json.loads(line)
        if "turn" in job:
            seconds = statistics.median(timed(function) for _ in range(calls))
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            answer = {"seconds": seconds, "memory": memory}
        else:
            function = None  # what it held is free before the next is made
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    function, calls, facts = prepare(job)
                answer = {"ready": True, **facts}
            except Exception as error:  # whatever it is, the others go on, and the reader is told
                traceback.print_exc()
                answer = {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"}
        print(json.dumps(answer), flush=True)


def main(side, threads):
    def prepare(job):
        if "work" in job:
            return prepare_work(side, job["work"], threads)
        return prepare_case(side, Case.from_dict(job["case"]), threads)

    serve(prepare)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
