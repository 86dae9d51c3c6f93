"""The command: `python -m benchmarks.cpu [--quick] [--threads N] [--only WORDS] [--json FILE]`."""

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np

from .compare import OURS, compare
from .work import WORK


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the training steps only, few rounds: about two minutes")
    threads = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=threads, help="of both sides (default: all)")
    parser.add_argument("--rounds", type=int, help="turns of each side (default 21, quick 7)")
    parser.add_argument("--only", default="", metavar="WORDS", help="work whose name contains these words")
    parser.add_argument("--peers", nargs="*", help="modes of torch (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write all times into this file too")
    arguments = parser.parse_args()
    rounds = (7 if arguments.quick else 21) if arguments.rounds is None else arguments.rounds
    if rounds < 2 or arguments.threads < 1:
        parser.error("--rounds must be at least 2 and --threads at least 1")
    chosen = [work for work in WORK if arguments.only in work.name and (work.quick or not arguments.quick)]
    options = {} if arguments.peers is None else {"peers": arguments.peers}
    results = []
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, medians of {rounds} rounds")
    head = f"{'work':34} {'ours':>9} {'torch':>9} {'ratio':>6}  {'must':>5} {'aim':>5}  {'GF/s':>6}  torch's best mode"
    print(f"\n{head}")
    for work in chosen:
        measured = compare(work, arguments.threads, rounds, note=print, **options)
        ours, *peers = measured
        assert ours.side == OURS
        best = min(peers, key=lambda peer: peer.median)
        rate = 2 * work.multiply_accumulates() / ours.median / 1e9
        print(
            f"{work.name:34} {ours.median * 1e3:6.1f} ms {best.median * 1e3:6.1f} ms {ours.median / best.median:6.2f}  "
            f"{work.must:5.2f} {work.aim:5.2f}  {rate:6.1f}  {best.side}",
            flush=True,
        )
        for side in measured:
            print(f"    {side.side:36} {side.median * 1e3:8.1f} ms +- {side.spread:4.0%}  peak {side.memory:6.0f} MiB")
        results.append({"work": work.name, "sides": [vars(side) for side in measured]})
    if arguments.json:
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        report = {"threads": arguments.threads, "rounds": rounds, "versions": versions, "results": results}
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
