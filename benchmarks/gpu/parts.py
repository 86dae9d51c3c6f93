"""The parts of the report. Each runs in a process of its own, with a deadline, so that none takes the others along."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """seconds: its share of the whole, where that is `MINUTES`. package: of its module, which has its name."""

    name: str
    what: str
    seconds: int
    package: str = "benchmarks.gpu"

    @property
    def module(self):
        return f"{self.package}.{self.name}"


MINUTES = 8
PARTS = {
    part.name: part
    for part in (
        Part("environment", "the machine and its software", 20),
        Part("suite", "the property tests, and every network beside the CPU", 100),
        Part("gradients", "numeric checks of the gradients of every network", 35),
        Part("kernels", "single kernels beside PyTorch's and the floor", 95),
        Part("steps", "training steps beside PyTorch's, and the memory they take", 180),
        Part("training", "a short run of training", 45),
    )
}
# Fills the cache of torch's compiler while others only test; it is no part of the report.
COMPILE_AHEAD = Part("compile_ahead", "networks for torch.compile", 0)
MARGIN = 5  # seconds before its deadline at which a part is asked to have ended by itself, at most a tenth
ERROR_LENGTH = 4000  # characters


@dataclass(frozen=True)
class Settings:
    """What a part is told.

    smoke: everything as small as can be, to see that it runs; its times mean nothing. data_dir: where CIFAR-10 is, or
    None. torch_device: where PyTorch computes. seconds: how long the part may take.
    """

    smoke: bool = False
    data_dir: str | None = None
    torch_device: str = "cuda:0"
    seconds: float = 60.0


class Report:
    """What a part has found so far.

    result: plain values. problems: what is wrong, each of which fails the part. notes: what was left out, and why.
    """

    def __init__(self, path):
        self.path, self.result, self.problems, self.notes = Path(path), {}, [], []
        self.error = self.traceback = None

    def save(self):
        """Keep it, so that it counts even if the process is ended."""
        values = {name: value for name, value in vars(self).items() if name != "path"}
        write(self.path, json.dumps(values))


def write(path, text):
    """Replace a file as a whole: what reads it finds the old text or the new one."""
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(text)
    os.replace(unfinished, path)


class Running:
    """The process of a part. To be used as a context, which ends it."""

    def __init__(self, part, settings):
        self.part, self.settings, self.started = part, settings, time.monotonic()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "report.json"
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu.part", part.module, str(self.path), json.dumps(asdict(settings))],
            stdin=subprocess.DEVNULL, stdout=2, stderr=self.errors, start_new_session=True,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()
        self.folder.cleanup()
        self.errors.close()

    def kill(self):
        """End it and all that it started, which is in its session."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def finish(self, seconds):
        """Wait until so many seconds after its start, end it, and return its record.

        A record is a dictionary: what and module of the part, status ("ok", "failed" or "stopped" at its deadline),
        seconds, and what its `Report` had.
        """
        try:
            self.process.wait(max(0, self.started + seconds - time.monotonic()))
            stopped = False
        except subprocess.TimeoutExpired:
            stopped = True
            self.kill()
        took = time.monotonic() - self.started
        found = json.loads(self.path.read_text()) if self.path.exists() else vars(Report(self.path))
        record = {name: found[name] for name in ("result", "problems", "notes", "error", "traceback")}
        if stopped:
            record["error"] = f"it was not done after {seconds:.0f} seconds"
        elif self.process.returncode and record["error"] is None:
            code = self.process.returncode
            how = f"signal {-code}" if code < 0 else f"exit status {code}"
            self.errors.seek(0)
            record["error"] = f"its process ended with {how}: {self.errors.read()[-ERROR_LENGTH:]}"
        wrong = record["error"] is not None or bool(record["problems"])
        status = "stopped" if stopped else "failed" if wrong else "ok"
        return {"what": self.part.what, "module": self.part.module, "status": status, "seconds": took, **record}


def run_part(part, settings, seconds):
    """Run a part for at most so many seconds and return its record, see `Running.finish`."""
    told = Settings(**{**asdict(settings), "seconds": seconds - min(MARGIN, seconds / 10)})
    with Running(part, told) as running:
        return running.finish(seconds)
