"""Runs the sides of a piece of work in turn, A B C A B C ..., each in its own process, and compares their medians."""

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

# Large arrays of torch come fresh from the system at every call with glibc's default, and cost page faults; which of
# both is faster depends on the network, so both are tried.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
OURS = "minception"
PEERS = ("torch", "torch-channels_last", "torch-compile-channels_last")


@dataclass
class Measured:
    """The times of one side in seconds, in order, and the peak memory of its process in MiB."""

    side: str
    seconds: list
    memory: float

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def spread(self):
        """Half the distance between the quartiles, relative to the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2 / self.median


class Side:
    """One process that waits for its turn."""

    def __init__(self, side, work, threads):
        self.side, self.seconds, self.memory = side, [], 0.0
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads)}
        environment.pop("OPENBLAS_CORETYPE", None)  # the processor's own kernels, for both
        if side.endswith("+malloc"):
            environment |= KEEP_MEMORY
        command = [sys.executable, "-m", "benchmarks.cpu.worker", side.removesuffix("+malloc"), work.name, str(threads)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{side}: {self.process.communicate()[1][-2000:]}")

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, self.memory = map(float, self.process.stdout.readline().split())
        self.seconds.append(seconds)

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def compare(work, threads, rounds, peers=PEERS, note=lambda text: None):
    """Time one piece of work on all sides; return a list of Measured, ours first. A side that cannot run is noted."""
    sides = []
    for name in [OURS, *peers, *(f"{peer}+malloc" for peer in peers)]:
        try:
            sides.append(Side(name, work, threads))
        except RuntimeError as error:
            note(f"{work.name}: {error}")
    for _ in range(rounds):
        for side in sides:
            side.turn()
    for side in sides:
        side.end()
    return [Measured(side.side, side.seconds, side.memory) for side in sides]
