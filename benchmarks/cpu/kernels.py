"""`python -m benchmarks.cpu.kernels`: single kernels beside PyTorch's operators and the machine's floor.

Every distinct shape of the convolutions of Inception v3 and Xception, and of the other layers of smaller networks, in
each direction: minception, and PyTorch with row-major and with channels-last images, each with two settings of malloc,
of which the fastest counts. All sides call one and the same shape again and again, so that small arrays stay in caches.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from ..cases import Case, all_cases, heaviest_cases
from ..kernel_report import Result, report
from ..sides import OURS, take_turns
from .compare import EAGER, sides_of
from .sources import QUICK, SOURCES

ROUNDS, QUICK_ROUNDS = 7, 3
# Goals for the ratio of our time to the best of PyTorch's, by the words that a kind begins with.
GOALS = {"conv": 1.15, "depthwise": 0.7, "batch norm relu": 0.7, "max pool": 0.7, "avg pool": 0.7}
GOALS_OF_ALL = {"conv": 0.9, "depthwise": GOALS["depthwise"]}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu.kernels", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one shape of the commonest kinds, few rounds: half a minute"
    )
    threads = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=threads, help="of all sides (default: all)")
    parser.add_argument("--rounds", type=int, help=f"turns of each side (default {ROUNDS}, quick {QUICK_ROUNDS})")
    parser.add_argument("--only", default="", metavar="WORDS", help="cases whose name contains these words")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="keep the results in this file, case by case; what it has is not measured again, but is in the report",
    )
    parser.add_argument("--again", action="store_true", help="measure again what the file has")
    arguments = parser.parse_args(argv)
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    if rounds < 2 or arguments.threads < 1:
        parser.error("--rounds must be at least 2 and --threads at least 1")
    cases = all_cases(SOURCES)
    if arguments.quick:
        cases = heaviest_cases(cases, QUICK)
    chosen = [case for case in cases if arguments.only in case.name]
    if arguments.list:
        print(*(case.name for case in chosen), sep="\n")
        return
    roof, results = load(arguments.json, arguments.threads)
    if roof is None and chosen:
        roof = measured_roof(arguments.threads)
    known = set() if arguments.again else {result.case.name for result in results}
    waiting = [case for case in chosen if case.name not in known]
    for number, result in enumerate(measure(waiting, arguments.threads, rounds), 1):
        print(f"{number}/{len(waiting)}  {result.ratio:.2f}  {result.case.name}", file=sys.stderr, flush=True)
        results = [other for other in results if other.case.name != result.case.name] + [result]
        save(arguments.json, arguments.threads, roof, results)
    if results:
        print("\n".join(report(results, roof, GOALS, GOALS_OF_ALL)))


def measured_roof(threads):
    """The machine's roof for so many threads."""
    import minception as mc
    from minception.study import measure_roof

    mc.set_num_threads(threads)
    return measure_roof()


def measure(cases, threads, rounds, peers=EAGER, note=print):
    """Yield the `Result` of each case, from processes that take turns; a case that ours cannot do is noted."""
    if not cases:
        return
    with sides_of(peers, threads) as sides:
        for case in cases:

            def say(side, why, case=case):
                note(f"{case.name}: {side}: {why}")

            measured = take_turns(sides, {"case": case.to_dict()}, rounds, say)
            if len(measured) < 2 or measured[0].side != OURS:
                continue
            ours, *others = measured
            best = min(others, key=lambda other: other.median)
            times = {side.side: side.median for side in measured}
            yield Result(case, times, best.side, ours.facts["flops"], ours.facts["bytes"], ours.spread)


def load(path, threads):
    """(roof, results) of a file that `save` wrote; (None, []) where there is none. Raises SystemExit for one that was
    measured with other threads."""
    from minception.study import Roof

    if path is None or not Path(path).exists():
        return None, []
    saved = json.loads(Path(path).read_text())
    if saved["roof"]["threads"] != threads:
        raise SystemExit(f"{path} was measured with {saved['roof']['threads']} threads")
    results = [Result(**{**values, "case": Case.from_dict(values["case"])}) for values in saved["results"]]
    return Roof(**saved["roof"]), results


def save(path, threads, roof, results):
    """Write what was measured so far."""
    if path is not None:
        values = [{**vars(result), "case": result.case.to_dict()} for result in results]
        Path(path).write_text(json.dumps({"roof": vars(roof), "results": values}, indent=1) + "\n")


if __name__ == "__main__":
    main()
