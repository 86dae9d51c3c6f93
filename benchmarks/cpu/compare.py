"""Runs the sides of a piece of work in turn, A B C A B C ..., each in its own process, and compares their medians."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field

# Large arrays of torch come fresh from the system at every call with glibc's default, and cost page faults; which of
# both is faster depends on the network, so both are tried.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
OURS = "minception"
PEERS = ("torch", "torch-channels_last", "torch-compile-channels_last")
EAGER = PEERS[:2]
FOLDED = ("torch-channels_last-folded", "torch-compile-channels_last-folded")  # for evaluation


@dataclass
class Measured:
    """The times of one side in seconds, in order, and the peak memory of its process in MiB.

    facts: what the side said of the work besides.
    """

    side: str
    seconds: list
    memory: float
    facts: dict = field(default_factory=dict)

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def spread(self):
        """Half the distance between the quartiles, relative to the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2 / self.median


class Side:
    """One process that waits for its turn. It says what goes wrong in a file, so that it never waits for a reader."""

    def __init__(self, side, threads, worker="benchmarks.cpu.worker"):
        self.side = side
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads)}
        environment.pop("OPENBLAS_CORETYPE", None)  # the processor's own kernels, for both
        if side.endswith("+malloc"):
            environment |= KEEP_MEMORY
        command = [sys.executable, "-m", worker, side.removesuffix("+malloc"), str(threads)]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )

    def ask(self, job):
        """The worker's answer to a job. Raises RuntimeError with what it said last if it fails or has ended."""
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.side}: {self.errors.read()[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.side}: {answer['error']}")
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


@contextmanager
def sides_of(peers, threads):
    """The processes of all sides, ours first, each peer once with either setting of malloc."""
    sides = [Side(name, threads) for name in (OURS, *peers, *(f"{peer}+malloc" for peer in peers))]
    try:
        yield sides
    finally:
        for side in sides:
            side.end()


def take_turns(sides, job, rounds, note, name):
    """Time one job on all sides; return a list of Measured, ours first. A side that cannot do it is noted."""
    able = []
    for side in sides:
        try:
            facts = side.ask(job)
            able.append((side, Measured(side.side, [], 0.0, {k: v for k, v in facts.items() if k != "ready"})))
        except RuntimeError as error:
            note(f"{name}: {error}")
    for _ in range(rounds):
        for side, measured in able:
            answer = side.ask({"turn": True})
            measured.seconds.append(answer["seconds"])
            measured.memory = answer["memory"]
    return [measured for _, measured in able]


def compare(work, threads, rounds, peers=None, note=lambda text: None):
    """Time one piece of work on all sides, in processes of its own; see `take_turns`. peers: None for all."""
    if peers is None:
        peers = PEERS if work.training else PEERS + FOLDED
    with sides_of(peers, threads) as sides:
        return take_turns(sides, {"work": work.name}, rounds, note, work.name)
