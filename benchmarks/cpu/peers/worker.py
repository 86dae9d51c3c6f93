"""A process that does tasks in one library, in turns: `python -m benchmarks.cpu.peers.worker LIBRARY THREADS`.

{"library": true} imports the library, {"task": NAME} prepares a task; turns and answers are those of `..worker`.
"""

import importlib
import os
import sys

from ...serving import serve
from ..worker import calls_in_a_turn
from . import tasks


def prepare(library, threads, job):
    """(function, calls in a turn, facts) of a job."""
    module = importlib.import_module(f".in_{library}", __package__)
    if "library" in job:
        module.prepare(threads)
        return None, 0, {}
    function = function_of(module, job["task"])
    return function, calls_in_a_turn(function), {}


def function_of(module, task):
    """What does a task once in the library of a module, and returns its result, or the first gradient, as an array."""
    if task == tasks.STEP:
        return module.step()
    name, _, what = task.partition(", ")
    return getattr(module, what.replace(" ", "_"))(name)


def main(library, threads):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    serve(lambda job: prepare(library, threads, job))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
