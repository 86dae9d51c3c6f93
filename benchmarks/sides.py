"""Sides of a comparison: processes that do the same work in turn, A B C A B C ..., so that all see the same machine."""

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

OURS = "minception"


@dataclass
class Measured:
    """The times of one side in seconds, in order, and the peak of its memory in MiB.

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
    """One process that waits for its turn: `python -m WORKER ARGUMENTS`, which answers lines of JSON (see `serving`).

    It says what goes wrong in a file, so that it never waits for a reader. environment: variables beside our own; None
    removes one.
    """

    def __init__(self, side, worker, arguments, environment=None):
        self.side = side
        variables = {**os.environ, **(environment or {})}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", worker, *map(str, arguments)],
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
        )  # fmt: skip

    def ask(self, job, limit=None):
        """The worker's answer to a job. Raises RuntimeError with what it said last if it fails or has ended, and if it
        takes more than `limit` seconds, in which case it is ended."""
        self.tell(job)
        return self.answer(limit)

    def tell(self, job):
        """Hand over a job, whose `answer` has to be asked for."""
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # `answer` says so

    def answer(self, limit=None):
        """The answer to the job that was handed over; see `ask`."""
        if not select.select([self.process.stdout], [], [], limit)[0]:
            self.process.kill()
            raise RuntimeError(f"not ready within {limit:.0f} seconds")
        line = self.process.stdout.readline()  # an answer is one line, written at once
        if not line:
            self.errors.seek(0)
            raise RuntimeError(self.errors.read()[-2000:])
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def end(self):
        """Let the worker end, and wait for that."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def take_turns(sides, job, rounds, note, limit=None):
    """Time one job on all sides; return a list of Measured, ours first. limit: seconds until all have to be ready.

    Of a side that cannot do it, `note(name of the side, why)` is told.
    """
    able, started = [], time.monotonic()
    for side in sides:
        left = None if limit is None else max(0.0, started + limit - time.monotonic())
        try:
            facts = side.ask(job, left)
            able.append((side, Measured(side.side, [], 0.0, {k: v for k, v in facts.items() if k != "ready"})))
        except RuntimeError as error:
            note(side.side, str(error))
    for _ in range(rounds):
        for side, measured in list(able):
            try:
                answer = side.ask({"turn": True})
            except RuntimeError as error:
                note(side.side, str(error))
                able.remove((side, measured))
                continue
            measured.seconds.append(answer["seconds"])
            measured.memory = answer["memory"]
    return [measured for _, measured in able]
