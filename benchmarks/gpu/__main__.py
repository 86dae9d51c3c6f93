"""The command for a machine with a GPU: tests, measures beside PyTorch, and writes a report, in at most 8 minutes.

    python -m benchmarks.gpu [--only PART ...] [--out FILE] [--data-dir DIR]

Needs CuPy (`pip install -e '.[cuda12]'`) and for the tests and the comparison the test extra, with a PyTorch that was
built for CUDA. Exit status: 0 if all parts did what they should; 1 if one did not, which the report says; 2 without a
GPU.
"""

import argparse
import datetime
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace

from .parts import COMPILE_AHEAD, MINUTES, PARTS, Running, Settings, run_part, write
from .text import text_of

TESTING = ("environment", "suite", "gradients")  # times do not matter while these run


def main(argv=None):
    arguments = parse(argv)
    from minception.kernels.cuda.device import count_gpus

    try:
        count_gpus()
    except RuntimeError as error:
        print(f"python -m benchmarks.gpu needs an NVIDIA GPU and CuPy: {error}", file=sys.stderr)
        return 2
    chosen = [part for part in PARTS.values() if not arguments.only or part.name in arguments.only]
    settings = Settings(arguments.smoke, arguments.data_dir, arguments.torch_device)
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "settings": {"minutes": arguments.minutes, **{k: v for k, v in asdict(settings).items() if k != "seconds"}},
        "parts": {},
    }
    try:
        run_parts(chosen, settings, arguments.minutes / MINUTES, report, lambda: save(arguments.out, report))
    except KeyboardInterrupt:
        print(f"interrupted; {len(report['parts'])} of {len(chosen)} parts are written", file=sys.stderr)
        return 130
    print(text_of(report))
    print(f"\nwritten to {arguments.out}.json and {arguments.out}.txt")
    return int(any(record["status"] != "ok" for record in report["parts"].values()))


def run_parts(chosen, settings, factor, report, save):
    """Run the parts in turn and put their records into the report, which is saved after each of them.

    factor: how many times its seconds a part may take. What one leaves over is given to those after it.
    """
    names, over = [part.name for part in chosen], 0.0
    with ExitStack() as background:
        if "steps" in names and names[0] in TESTING:
            ahead = background.enter_context(Running(COMPILE_AHEAD, replace(settings, seconds=1e6)))
        else:
            ahead = None
        for part in chosen:
            if part.name not in TESTING and ahead is not None:
                report["compiled_ahead"] = ahead.finish(0)["result"]
                ahead = None
            seconds = part.seconds * factor + over
            print(f"{part.name}: {part.what}, at most {seconds:.0f} seconds", file=sys.stderr, flush=True)
            record = run_part(part, settings, seconds)
            over = max(0.0, seconds - record["seconds"])
            report["parts"][part.name] = record
            print(f"{part.name}: {record['status']} after {record['seconds']:.0f} seconds", file=sys.stderr, flush=True)
            save()


def save(out, report):
    """Write FILE.json and FILE.txt, each as a whole."""
    write(f"{out}.json", json.dumps(report, indent=1) + "\n")
    write(f"{out}.txt", text_of(report) + "\n")


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = "; ".join(f"{part.name}: {part.what}" for part in PARTS.values())
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"only these parts. {what}")
    today = datetime.date.today().isoformat()
    parser.add_argument(
        "--out", default=f"gpu-{today}", metavar="FILE", help="write FILE.json and FILE.txt (default: gpu-DATE)"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder with CIFAR-10, for the part training")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, metavar="M", help="of all parts together (default %(default)s)"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="everything as small as can be, to see that it runs; times mean nothing"
    )
    parser.add_argument(
        "--torch-device", default="cuda:0", metavar="DEVICE",
        help="where PyTorch computes; cpu to try the command where PyTorch has no CUDA (default %(default)s)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    arguments.out = arguments.out.removesuffix(".json").removesuffix(".txt")
    if arguments.minutes <= 0:
        parser.error("--minutes must be more than 0")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
