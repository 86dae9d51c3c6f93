"""The command: `python -m benchmarks.cpu.peers [--threads N] [--rounds N] [--only WORDS] [--json FILE]`.

Times operations and a training step of a small network in minception and in JAX, MyGrad and DeZero, in processes that
take turns. Of these, those that cannot be imported are left out: `pip install 'jax[cpu]' mygrad dezero` brings them.
Forward and backward means: through the library's own automatic differentiation, gradients of all inputs.
"""

import argparse
import json
import os
from pathlib import Path

from ...sides import OURS, take_turns
from ..compare import side_on_cpu
from .tasks import TASKS

PEERS = ("jax", "mygrad", "dezero")


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cpu.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    threads = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=threads, help="of all sides (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (default %(default)s)")
    parser.add_argument("--only", default="", metavar="WORDS", help="tasks whose name contains these words")
    parser.add_argument("--peers", nargs="*", default=PEERS, help=f"which libraries (default: {' '.join(PEERS)})")
    parser.add_argument("--json", metavar="FILE", help="write all times into this file too")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 2 or arguments.threads < 1:
        parser.error("--rounds must be at least 2 and --threads at least 1")
    chosen = [task for task in TASKS if arguments.only in task]
    results = measure(chosen, arguments.threads, arguments.rounds, arguments.peers)
    if arguments.json:
        report = {"threads": arguments.threads, "rounds": arguments.rounds, "results": results}
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n")


def measure(chosen, threads, rounds, peers, note=print):
    """Time tasks on all sides that there are, print them, and return {task: {side: median seconds}}."""
    sides = [side_on_cpu(name, threads, "benchmarks.cpu.peers.worker") for name in (OURS, *peers)]
    try:
        present = [side for side in sides if _answers(side, note)]
        width = max(map(len, chosen), default=0)
        note(f"{threads} threads, medians of {rounds} rounds; in brackets how many times as long as {OURS}\n")
        results = {}
        for task in chosen:

            def say(side, why, task=task):
                note(f"{task}: {side}: {why}")

            measured = take_turns(present, {"task": task}, rounds, say)
            results[task] = {side.side: side.median for side in measured}
            ours = results[task].get(OURS)
            texts = [
                f"{side} {seconds * 1e3:9.2f} ms" + ("" if side == OURS or not ours else f" ({seconds / ours:6.2f})")
                for side, seconds in results[task].items()
            ]
            note(f"{task:{width}}  " + "  ".join(texts))
        return results
    finally:
        for side in sides:
            side.end()


def _answers(side, note):
    """Whether a side's library can be imported."""
    try:
        side.ask({"library": True})
    except RuntimeError as error:
        note(f"left out: {side.side}: {error}")
        return False
    return True


if __name__ == "__main__":
    main()
