"""A worker's half of a comparison: lines of JSON on stdin are answered by lines of JSON on stdout.

A job prepares something to be timed and warms it up; it is answered by {"ready": true, ...} or {"error": TEXT}.
{"turn": true} does it, and is answered by {"seconds": S, "memory": MIB}.
"""

import contextlib
import json
import resource
import statistics
import sys
import time
import traceback


def timed(function):
    """Seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def warm_up(function, calls, seconds, timed=timed):
    """Call it so many times and for so long; return the least time of a call."""
    started = time.perf_counter()
    times = []
    while len(times) < calls or time.perf_counter() - started < seconds:
        times.append(timed(function))
    return min(times)


def memory_of_process():
    """The most memory that this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def turn(function, calls):
    """Seconds of a call, as the median of so many."""
    return statistics.median(timed(function) for _ in range(calls))


def serve(prepare, turn=turn, memory=memory_of_process):
    """Answer the lines of stdin until they end.

    `prepare(job)` returns (function, calls in a turn, facts); `turn(function, calls)` returns seconds of a call.
    """
    function = calls = None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                if "turn" in job:
                    answer = {"seconds": turn(function, calls), "memory": memory()}
                else:
                    function = None  # what it held is free before the next is made
                    function, calls, facts = prepare(job)
                    answer = {"ready": True, **facts}
        except Exception as error:  # whatever it is, the others go on, and the reader is told
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"}
        print(json.dumps(answer), flush=True)
