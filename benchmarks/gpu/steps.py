"""The part "steps": whole training steps (forward, loss, backward, SGD with momentum) beside PyTorch's.

Each mode is a process of its own; they take turns. Ours in float32, TF32 and bfloat16 (of convolutions' factors) stands
beside PyTorch's eager mode in float32 and TF32, and in channels-last order with autocast to bfloat16. Then ours in
float32, and as CUDA graphs, beside `torch.compile`, which takes long to be ready: what is not ready in its time is left
out. Networks are those for images of 32x32 pixels, at a batch of 512 and then of 128, at last the two large ones at
their native size, as far as there is time and memory.
"""

import time
from dataclasses import asdict

from ..sides import OURS
from ..work import Work
from .environment import why_no_torch
from .team import Team

# Each of PyTorch's modes, and ours of the same precision. (With autocast, arrays between layers are bfloat16 too.)
SAME_PRECISION = {
    "torch": OURS,
    "torch-tf32": f"{OURS}-tf32",
    "torch-channels_last-autocast": f"{OURS}-bfloat16",
    "torch-compile": OURS,
}
EAGER, COMPILED = tuple(SAME_PRECISION)[:3], tuple(SAME_PRECISION)[3:]
GRAPHS = f"{OURS}-graph", f"{OURS}-bfloat16-graph"  # beside the compiled mode, which launches so few kernels too
ROUNDS = 3
READY_SECONDS = 60  # until all sides have warmed up; less where the part has less left
TURNS_SECONDS = 8  # about what the turns take after that
SMALL = {"stem": "cifar"}
NETWORKS = [("mini_inception", {}), ("mini_xception", {}), ("googlenet", {"aux_logits": False, **SMALL}),
            ("xception", {**SMALL, "dropout": 0.0})]  # fmt: skip
LOTS = [
    [Work(f"{name}, 32x32, batch {batch}", name, batch, 32, options=options) for name, options in NETWORKS]
    for batch in (512, 128)
]
LOTS.append([
    Work("googlenet, 224x224, batch 128", "googlenet", 128, 224, options={"aux_logits": False}, num_classes=1000),
    Work("xception, 299x299, batch 128", "xception", 128, 299, options={"dropout": 0.0}, num_classes=1000),
])  # fmt: skip
WORK = [work for lot in LOTS for work in lot]
SMOKE_LOTS = [[Work("mini_xception, 8x8, batch 2", "mini_xception", 2, 8)]]


def run(settings, report):
    deadline = time.monotonic() + settings.seconds
    reason = why_no_torch(settings.torch_device)
    turns = [()] if reason else [EAGER, COMPILED]
    if reason:
        report.notes.append(f"columns of PyTorch are empty: {reason}")
    elif settings.smoke:
        turns = [EAGER]
        report.notes.append("smoke: torch.compile is left out")
    lots = SMOKE_LOTS if settings.smoke else LOTS
    waiting = [(work, peers) for lot in lots for peers in turns for work in lot]
    with Team(settings) as team:
        for done, (work, peers) in enumerate(waiting):
            left = deadline - time.monotonic() - TURNS_SECONDS
            if left <= 0:
                left_out = [f"{work.name} beside {', '.join(peers) or 'nothing'}" for work, peers in waiting[done:]]
                report.notes.append(f"no time was left for {'; '.join(left_out)}")
                break
            print(f"steps: {work.name} {' '.join(peers)}", flush=True)
            measure(team, work, peers, 2 if settings.smoke else ROUNDS, min(READY_SECONDS, left), report)
            report.save()


def measure(team, work, peers, rounds, limit, report):
    """Measure one piece of work and put it into the report. limit: seconds until all sides have to be ready."""
    ours = dict.fromkeys([OURS, *map(SAME_PRECISION.get, peers), *(GRAPHS if peers == COMPILED else ())])
    measured, reasons = team.measure((*ours, *peers), {"work": asdict(work)}, rounds, limit)
    for side, why in reasons.items():
        (report.problems if side in ours else report.notes).append(f"{work.name}: {side}: {why}")
    sides = [{**vars(side), "median": side.median, "spread": side.spread} for side in measured]
    report.result.setdefault("works", []).append(
        {"name": work.name, "multiply_accumulates": work.multiply_accumulates(), "sides": sides, "left_out": reasons}
    )


def lines(result):
    yield f"{'training step':32} {'side':30} {'median':>11} {'spread':>6} {'ours to it':>10} {'memory':>10}"
    for work in result.get("works", ()):
        sides = {side["side"]: side for side in work["sides"]}
        for name, side in sides.items():
            ours, rate = sides.get(SAME_PRECISION.get(name)), ""
            ratio = f"{ours['median'] / side['median']:10.2f}" if ours else " " * 10
            if name.startswith(OURS):
                rate = f"  {2 * work['multiply_accumulates'] / side['median'] / 1e12:.2f} TFLOP/s"
            yield (
                f"{work['name']:32} {name:30} {side['median'] * 1e3:8.2f} ms {side['spread']:6.1%} {ratio} "
                f"{side['memory']:6.0f} MiB{rate}"
            )
        for name in work["left_out"]:
            yield f"{work['name']:32} {name:30} left out, see the notes"
    yield "ours to it: our time in the same precision to that of PyTorch; the goal beside its eager mode is at most 1"
    yield "memory: the most that the library's pool took from the GPU; of graphs, without what they keep for themselves"
