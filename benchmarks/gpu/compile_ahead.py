"""Compiles the networks of the part "steps" with `torch.compile`, some at a time, while others only test.

torch keeps what it has compiled on disk, so that the part "steps" has to wait less. It runs until it is ended; no part
depends on it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from threading import Lock

from . import steps
from .environment import why_no_torch
from .team import Team

AT_ONCE = 4
_saving = Lock()


def run(settings, report):
    if settings.smoke or why_no_torch(settings.torch_device):
        return
    lots = [steps.WORK[first::AT_ONCE] for first in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda lot: compile_all(settings, lot, report), lots))


def compile_all(settings, works, report):
    """Let one process compile some networks, one after the other."""
    with Team(settings) as team:
        for work in works:
            for name in steps.COMPILED:
                _, reasons = team.measure([name], {"work": asdict(work)}, rounds=0)
                with _saving:
                    report.result[work.name] = reasons.get(name, "compiled")
                    report.save()
