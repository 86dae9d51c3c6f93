"""The part "suite": the tests that can run on a GPU, there (see tests/table/homes.py).

Networks first, then convolution on tensor cores and all kernels that are written in CUDA C++, then CUDA graphs and what
cuBLAS makes, then all kernels, of which those without such a version run as the reference on CuPy's arrays. What has
not run at the deadline is left out; the report says how much has.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ["tests/table/test_values.py", "tests/table/test_layouts.py", "tests/kernels/test_memory_order.py"]
TESTS = [
    ("every network", ["tests/device/test_networks.py"]),
    ("tensor cores", ["tests/kernels/cuda/test_precision.py", "-k", "products or nearest or concerned"]),
    ("CUDA kernels", ["tests/kernels/cuda/test_values.py"]),
    ("graphs and cuBLAS", ["tests/device/test_cuda_graph.py", "tests/device/test_products.py"]),
    ("all kernels", [*TABLE, "-k", "kernel or test_memory_order"]),
]
SMOKE = [
    ("every network", ["tests/device/test_networks.py", "-k", "lenet5 and cuda"]),
    ("tensor cores", ["tests/kernels/cuda/test_precision.py", "-k", "nearest"]),
    ("CUDA kernels", ["tests/kernels/cuda/test_values.py", "-k", "test_named_case and [relu-zeros"]),
    ("graphs and cuBLAS", ["tests/device/test_cuda_graph.py", "-k", "anew"]),
    ("all kernels", ["tests/table/test_values.py", "-k", "test_named_case and concatenate-kernel"]),
]
MOST_PROCESSES = 8
SHOWN_FAILURES, FAILURE_LENGTH = 20, 1500
STOP_SECONDS = 3  # to end by itself
RECORD = "MINCEPTION_BENCHMARK_RECORD"  # environment: the file that `recorder` writes


def run(settings, report):
    deadline = time.monotonic() + settings.seconds
    for name, tests in SMOKE if settings.smoke else TESTS:
        left = deadline - time.monotonic() - STOP_SECONDS
        if left <= 0:
            report.notes.append(f"{name}: no time was left")
            continue
        processes = 1 if settings.smoke else min(MOST_PROCESSES, len(os.sched_getaffinity(0)))
        report.result[name] = found = run_tests(tests, left, report.path.with_name("outcomes"), processes)
        report.problems += [f"{name}: {failure['test']}" for failure in found["failures"]]
        if found["stopped"]:
            report.notes.append(f"{name}: {found['left_out']} of {found['collected']} tests did not run in time")
        elif not found["finished"]:
            report.problems.append(f"{name}: pytest ended early: {found['says'][-FAILURE_LENGTH:]}")
        elif not found["passed"]:
            report.problems.append(f"{name}: no test ran: {found['says'][-FAILURE_LENGTH:]}")
        report.save()


def run_tests(tests, seconds, record, processes):
    """Run pytest for so many seconds; return counts and failures as plain values. record: a file for `recorder`."""
    environment = {**os.environ, "MINCEPTION_TEST_HOMES": "cuda", RECORD: str(record)}
    record.write_text("")
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "benchmarks.gpu.recorder", *tests]
    if processes > 1 and importlib.util.find_spec("xdist") is not None:
        command += ["-n", str(processes)]
    started = time.monotonic()
    with open(record.with_name("pytest"), "w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        stopped = not _ended(process, seconds)
        if stopped:
            process.send_signal(signal.SIGINT)  # it ends its workers and says what it has found
            if not _ended(process, STOP_SECONDS):
                process.kill()
                process.wait()
        output.seek(0)
        says = output.read()
    events = [json.loads(line) for line in record.read_text().splitlines()]
    outcomes = Counter(event["outcome"] for event in events if "test" in event)
    collected = max((event["collected"] for event in events if "collected" in event), default=0)
    failures = [event for event in events if event.get("outcome") == "failed"]
    return {
        "collected": collected,
        **{outcome: outcomes[outcome] for outcome in ("passed", "failed", "skipped")},
        "left_out": collected - sum(outcomes.values()),
        "seconds": time.monotonic() - started,
        "stopped": stopped,
        "finished": process.returncode in (0, 1),
        "failures": failures[:SHOWN_FAILURES],
        "says": "" if process.returncode == 0 else says[-FAILURE_LENGTH:],
    }


def _ended(process, seconds):
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def lines(result):
    yield f"{'':20} {'passed':>7} {'failed':>7} {'skipped':>7} {'not run':>7} {'seconds':>8}"
    for name, found in result.items():
        counts = " ".join(f"{found[key]:7}" for key in ("passed", "failed", "skipped", "left_out"))
        yield f"{name:20} {counts} {found['seconds']:8.1f}"
