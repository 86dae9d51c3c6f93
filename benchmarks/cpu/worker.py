"""A process that does one piece of work on one side, once for each line it reads, and prints the seconds.

Sides are processes of their own because the thread pools of two libraries in one process disturb each other.

    python -m benchmarks.cpu.worker SIDE NAME THREADS

Evaluation is that of the network after `fuse()`, and of PyTorch's in `inference_mode`.

SIDE is "minception", "torch" or "torch-compile", either of the last two with "-channels_last".
"""

import contextlib
import resource
import sys
import time

import numpy as np

from .work import WORK

SETTINGS = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
WARM_UP_SECONDS, WARM_UP_STEPS = 1.0, 3


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


def torch_step(work, threads, compiled, channels_last):
    import torch

    from tests.models.twins import TWINS

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = TWINS[work.network](num_classes=work.num_classes, **work.options).train(work.training)
    images, labels = map(torch.from_numpy, data(work))
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


def main(side, name, threads):
    (work,) = (work for work in WORK if work.name == name)
    with contextlib.redirect_stdout(sys.stderr):
        if side == "minception":
            step = minception_step(work, threads)
        else:
            step = torch_step(work, threads, "compile" in side, "channels_last" in side)
        started = time.perf_counter()
        done = 0
        while done < WARM_UP_STEPS or time.perf_counter() - started < WARM_UP_SECONDS:
            step()
            done += 1
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        step()
        seconds = time.perf_counter() - started
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
