"""A process that does pieces of work on one side, in turns.

Sides are processes of their own because the thread pools of two libraries in one process disturb each other.

    python -m benchmarks.cpu.worker SIDE THREADS

SIDE is "minception", "torch" or "torch-compile", either of the last two with "-channels_last", and for evaluation with
"-folded" (see `training_steps`). {"work": NAME} prepares a training step or an evaluation, {"case": {...}} a single
kernel; what is answered, and how it is timed, is in `serving`.
"""

import sys

from .. import in_torch, ours
from ..cases import Case
from ..serving import serve, warm_up
from ..training_steps import minception_step, torch_step
from .work import WORK

WARM_UP_SECONDS, WARM_UP_STEPS = 1.0, 3
# A kernel is called several times in a turn, which gives their median.
CASE_WARM_UP_SECONDS, CASE_WARM_UP_CALLS, TURN_SECONDS, MOST_CALLS = 0.03, 3, 0.01, 200


def prepare_work(side, name):
    """(function, calls in a turn, nothing more to say) of a training step or an evaluation, warmed up."""
    (work,) = (work for work in WORK if work.name == name)
    step = minception_step(work) if side == "minception" else torch_step(work, side)
    warm_up(step, WARM_UP_STEPS, WARM_UP_SECONDS)
    return step, 1, {}


def prepare_case(side, case):
    """(function, calls in a turn, the floor's FLOP and bytes if this side is ours) of a kernel, warmed up."""
    facts = {}
    if side == "minception":
        function = ours.prepare(case)
        facts["flops"], facts["bytes"] = ours.floor(function)
    else:
        import torch

        torch.set_grad_enabled(False)
        function = in_torch.prepare(case, "channels_last" in side)
    return function, calls_in_a_turn(function), facts


def calls_in_a_turn(function):
    """How often to call a warmed-up function in a turn, so that it takes some milliseconds."""
    seconds = warm_up(function, CASE_WARM_UP_CALLS, CASE_WARM_UP_SECONDS)
    return max(1, min(MOST_CALLS, int(TURN_SECONDS / seconds)))


def set_threads(side, threads):
    """Let a side's library compute with so many threads."""
    if side == "minception":
        import minception as mc
        from minception.memory import keep_freed_memory

        keep_freed_memory()
        mc.set_num_threads(threads)
    else:
        import torch

        torch.set_num_threads(threads)


def main(side, threads):
    def prepare(job):
        set_threads(side, threads)
        return prepare_work(side, job["work"]) if "work" in job else prepare_case(side, Case.from_dict(job["case"]))

    serve(prepare)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
