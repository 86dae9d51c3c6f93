"""The part "steps": whole training steps (forward, loss, backward, SGD with momentum) beside PyTorch's.

Each mode is a process of its own; they take turns. First ours, in float32, beside PyTorch's eager mode in the same
precision and in channels-last order with autocast to bfloat16; then all of it again beside `torch.compile` (float32),
which takes long to be ready: what is not ready in its time is left out. Networks are those for images of 32x32 pixels
at batches of 512 and 128, then the two large ones at their native size, as far as there is time and memory.
"""

import time
from dataclasses import asdict

from ..sides import OURS
from ..work import Work
from .environment import why_no_torch
from .team import Team

EAGER = ("torch", "torch-channels_last-autocast")
COMPILED = ("torch-compile",)
SAME_PRECISION = ("torch", "torch-compile")
ROUNDS = 5
READY_SECONDS = 60  # until all sides have warmed up; less where the part has less left
TURNS_SECONDS = 8  # about what the turns take after that
SMALL = {"stem": "cifar"}
NETWORKS = [("mini_inception", {}), ("mini_xception", {}), ("googlenet", {"aux_logits": False, **SMALL}),
            ("xception", {**SMALL, "dropout": 0.0})]  # fmt: skip
WORK = [
    *(
        Work(f"{name}, 32x32, batch {batch}", name, batch, 32, options=options)
        for batch in (512, 128)
        for name, options in NETWORKS
    ),
    Work("googlenet, 224x224, batch 128", "googlenet", 128, 224, options={"aux_logits": False}, num_classes=1000),
    Work("xception, 299x299, batch 128", "xception", 128, 299, options={"dropout": 0.0}, num_classes=1000),
]
SMOKE_WORK = [Work("mini_xception, 8x8, batch 2", "mini_xception", 2, 8)]


def run(settings, report):
    deadline = time.monotonic() + settings.seconds
    reason = why_no_torch(settings.torch_device)
    works = SMOKE_WORK if settings.smoke else WORK
    turns = [()] if reason else [EAGER, COMPILED]
    if reason:
        report.notes.append(f"columns of PyTorch are empty: {reason}")
    elif settings.smoke:
        turns = [EAGER]
        report.notes.append("smoke: torch.compile is left out")
    with Team(settings) as team:
        for peers in turns:
            for done, work in enumerate(works):
                left = deadline - time.monotonic() - TURNS_SECONDS
                if left <= 0:
                    names = ", ".join(work.name for work in works[done:])
                    report.notes.append(f"no time was left for {names} beside {', '.join(peers) or 'nothing'}")
                    break
                print(f"steps: {work.name} {' '.join(peers)}", flush=True)
                measure(team, work, peers, 2 if settings.smoke else ROUNDS, min(READY_SECONDS, left), report)
                report.save()


def measure(team, work, peers, rounds, limit, report):
    """Measure one piece of work and put it into the report. limit: seconds until all sides have to be ready."""
    measured, reasons = team.measure((OURS, *peers), {"work": asdict(work)}, rounds, limit)
    for side, why in reasons.items():
        (report.problems if side == OURS else report.notes).append(f"{work.name}: {side}: {why}")
    sides = [{**vars(side), "median": side.median, "spread": side.spread} for side in measured]
    report.result.setdefault("works", []).append(
        {"name": work.name, "multiply_accumulates": work.multiply_accumulates(), "sides": sides, "left_out": reasons}
    )


def lines(result):
    yield f"{'training step':32} {'side':30} {'median':>11} {'spread':>6} {'ours to it':>10} {'memory':>10}"
    for work in result.get("works", ()):
        sides = {side["side"]: side for side in work["sides"]}
        ours = sides.get(OURS)
        for name, side in sides.items():
            ratio = f"{ours['median'] / side['median']:10.2f}" if ours and name != OURS else " " * 10
            mark = "*" if name in SAME_PRECISION else " "
            yield (
                f"{work['name']:32} {name:30} {side['median'] * 1e3:8.2f} ms {side['spread']:6.1%} {ratio}{mark}"
                f"{side['memory']:6.0f} MiB"
            )
        for name in work["left_out"]:
            yield f"{work['name']:32} {name:30} left out, see the notes"
        if ours:
            yield f"{'':32} {'ours':30} {2 * work['multiply_accumulates'] / ours['median'] / 1e12:8.2f} TFLOP/s"
    yield "* in the same precision, float32; the goal there is at most 1. Memory: what the library's pool took, at most"
