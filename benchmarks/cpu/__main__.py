"""The command: `python -m benchmarks.cpu [--quick] [--threads N] [--only WORDS] [--json FILE]`.

It times training steps and evaluation, then single kernels (`python -m benchmarks.cpu.kernels` alone does those).
"""

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np

from ..sides import OURS
from . import kernels
from .compare import compare
from .work import WORK

ROUNDS, QUICK_ROUNDS = 21, 3
QUICK_PEERS = ("torch-channels_last",)
LEFT_OUT = (
    "Quick: steps without PyTorch's row-major and compiled modes, no evaluation, one shape of a few kinds of kernels; "
    "few rounds, so that times scatter."
)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="training steps beside channels-last PyTorch only, one shape of a few kinds of kernels, few rounds: about "
        "two minutes",
    )
    threads = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=threads, help="of both sides (default: all)")
    parser.add_argument("--rounds", type=int, help=f"turns of each side (default {ROUNDS}, quick {QUICK_ROUNDS})")
    parser.add_argument("--only", default="", metavar="WORDS", help="work and kernels whose name contains these words")
    parser.add_argument("--peers", nargs="*", help="modes of torch for steps and evaluation (default: all)")
    parser.add_argument(
        "--json", metavar="FILE", help="write all times into this file too, and those of kernels into FILE-kernels"
    )
    arguments = parser.parse_args()
    rounds = (QUICK_ROUNDS if arguments.quick else ROUNDS) if arguments.rounds is None else arguments.rounds
    if rounds < 2 or arguments.threads < 1:
        parser.error("--rounds must be at least 2 and --threads at least 1")
    peers = QUICK_PEERS if arguments.quick and arguments.peers is None else arguments.peers
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, medians of {rounds} rounds")
    if arguments.quick:
        print(LEFT_OUT)
    chosen = [work for work in WORK if arguments.only in work.name and (work.quick or not arguments.quick)]
    results = steps(chosen, arguments.threads, rounds, peers)
    if arguments.json:
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        report = {"threads": arguments.threads, "rounds": rounds, "versions": versions, "results": results}
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n")
    options = ["--threads", str(arguments.threads), "--only", arguments.only]
    options += ["--quick"] if arguments.quick else []
    if arguments.json:
        path = Path(arguments.json)
        options += ["--json", str(path.with_name(f"{path.stem}-kernels{path.suffix}"))]
    print("\nSingle kernels", flush=True)
    kernels.main(options)


def steps(chosen, threads, rounds, peers):
    """Time pieces of work, print them, and return their times as plain values."""
    results = []
    if chosen:
        head = f"{'work':34} {'ours':>9} {'torch':>9} {'ratio':>6}  {'must':>5} {'aim':>5}  {'GF/s':>6}"
        print(f"\n{head}  torch's best mode")
    for work in chosen:
        measured = compare(work, threads, rounds, peers, note=print)
        ours, *others = measured
        assert ours.side == OURS
        best = min(others, key=lambda other: other.median)
        rate = 2 * work.multiply_accumulates() / ours.median / 1e9
        print(
            f"{work.name:34} {ours.median * 1e3:6.1f} ms {best.median * 1e3:6.1f} ms {ours.median / best.median:6.2f}  "
            f"{work.must:5.2f} {work.aim:5.2f}  {rate:6.1f}  {best.side}",
            flush=True,
        )
        for side in measured:
            print(f"    {side.side:36} {side.median * 1e3:8.1f} ms +- {side.spread:4.0%}  peak {side.memory:6.0f} MiB")
        results.append({"work": work.name, "sides": [vars(side) for side in measured]})
    return results


if __name__ == "__main__":
    main()
