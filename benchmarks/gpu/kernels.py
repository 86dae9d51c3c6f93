"""The part "kernels": single kernels of the networks, beside PyTorch's operators in the same precision and the floor.

In float32 without TF32, and then dense convolutions in TF32 too. Of each kind of kernel and each network the shape that
it has most is measured, in each direction, at a batch whose images are mostly larger than the GPU's cache; PyTorch with
row-major and with channels-last images, of which the faster counts. Times are the GPU's, see `timing`. The floor is the
time that the arithmetic takes at the rate of cuBLAS's product of matrices in that precision, or the bytes at that of a
copy, both measured here.
"""

import itertools
import time

from ..cases import CONVOLUTIONS, OTHERS, POOLS, UPDATES, Case, all_cases, heaviest_cases
from ..kernel_report import Result
from ..kernel_report import report as table_of
from ..sides import OURS
from .environment import why_no_torch
from .team import Team

PEERS = ("torch", "torch-channels_last")
PRECISIONS = {None: "", "tf32": "-tf32"}  # None: float32; and how the sides are called
ROUNDS = 3
EVERYTHING = (*CONVOLUTIONS, *POOLS, *OTHERS, *UPDATES)
SMALL = {"stem": "cifar"}
SOURCES = [  # each as `all_cases` takes it
    ("mini_inception", 512, 32, {}, EVERYTHING),
    ("mini_xception", 512, 32, {}, EVERYTHING),
    ("googlenet", 512, 32, {"aux_logits": False, **SMALL}, EVERYTHING),
    ("xception", 512, 32, SMALL, EVERYTHING),
    ("googlenet_paper", 128, 224, {"aux_logits": False}, ("local_response_norm",)),
    ("inception_v3", 64, 299, {}, (*CONVOLUTIONS, *POOLS)),
]
SMOKE_SOURCES = [("mini_xception", 1, 8, {}, EVERYTHING)]
# Goals for the ratio of our time to the best of PyTorch's, by the words that a kind begins with: 1x1 as fast, other
# convolutions at least at 70 % of its speed, what only moves memory no slower.
GOALS = {"conv 1x1": 1.0, "conv": 1 / 0.7}
GOALS |= dict.fromkeys(
    ("depthwise", "batch norm relu", "max pool", "avg pool", "relu", "add", "concatenate", "sgd", "adam"), 1.0
)
MEMORY_BOUND = ("depthwise", "batch norm", "max pool", "avg pool", "relu", "sgd", "adam")
OF_THE_BANDWIDTH = 0.8


def chosen_cases(smoke):
    """Of each network and each kind of kernel the heaviest case; all networks' first, then all networks' second ..."""
    import minception as mc

    sources = SMOKE_SOURCES if smoke else SOURCES
    with mc.use_kernels("reference"):  # which need not be compiled first
        of_networks = [heaviest_cases(all_cases([source])) for source in sources]
    unlike = {}
    for row in itertools.zip_longest(*of_networks):
        for case in filter(None, row):
            unlike.setdefault((case.operation, case.direction, case.shapes, case.options), case)
    return list(unlike.values())


def chosen_work(smoke):
    """Pairs (precision, case), in the order in which they are measured."""
    cases = chosen_cases(smoke)
    in_tf32 = [("tf32", case) for case in cases if case.operation == "conv2d"]
    return [*((None, case) for case in cases), *(in_tf32[:1] if smoke else in_tf32)]


def run(settings, report):
    deadline = time.monotonic() + settings.seconds
    reason = why_no_torch(settings.torch_device)
    peers = [] if reason else PEERS[:1] if settings.smoke else PEERS
    if reason:
        report.notes.append(f"columns of PyTorch are empty: {reason}")
    work, roofs = chosen_work(settings.smoke), {}
    report.result |= {"roofs": roofs, "results": []}
    with Team(settings) as team:
        for done, (precision, case) in enumerate(work):
            if time.monotonic() > deadline:
                report.notes.append(f"no time was left for {len(work) - done} of {len(work)} cases")
                break
            print(f"kernels: {done + 1}/{len(work)}  {precision or ''} {case.name}", flush=True)
            key = precision or "float32"
            if key not in roofs:
                roof = team.side(OURS + PRECISIONS[precision]).ask({"roof": True})
                roofs[key] = {name: roof[name] for name in ("flops_per_second", "bytes_per_second")}
            measure(team, case, peers, 2 if settings.smoke else ROUNDS, report, precision)
            report.save()


def measure(team, case, peers, rounds, report, precision=None):
    """Measure one case and put it into the report."""
    ours, *others = (side + PRECISIONS[precision] for side in (OURS, *peers))
    measured, reasons = team.measure((ours, *others), {"case": case.to_dict()}, rounds)
    for side, why in reasons.items():
        (report.problems if side == ours else report.notes).append(f"{case.name}: {side}: {why}")
    if ours in reasons:
        return
    first, *others = measured
    best = min(others, key=lambda other: other.median).side if others else None
    times = {OURS: first.median, **{side.side: side.median for side in others}}
    result = Result(case, times, best, first.facts["flops"], first.facts["bytes"], first.spread, precision)
    report.result["results"].append({**vars(result), "case": case.to_dict()})


def lines(result):
    from minception.study import Roof

    results = [Result(**{**values, "case": Case.from_dict(values["case"])}) for values in result.get("results", ())]
    for precision, rates in result.get("roofs", {}).items():
        roof = Roof(**rates, threads=None, device=f"cuda:0, {precision}")
        members = [result for result in results if (result.precision or "float32") == precision]
        if not members:
            continue
        yield from table_of(members, roof, GOALS, {"conv": None, "depthwise": None})
        moving = [result for result in members if result.case.kind.startswith(MEMORY_BOUND)]
        slow = [result for result in moving if result.floor(roof) > 1 / OF_THE_BANDWIDTH]
        if moving:
            share = f"at less than {OF_THE_BANDWIDTH:.0%} of the bandwidth"
            yield f"\nOnly move memory, {share}: {len(slow)} of {len(moving)}"
        for result in sorted(slow, key=lambda result: -result.floor(roof)):
            yield f"  {1 / result.floor(roof):4.0%}: {result.name}"
