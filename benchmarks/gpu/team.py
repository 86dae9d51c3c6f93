"""The sides of comparisons on a GPU: processes that are started when they are needed, and again after they failed."""

from ..sides import OURS, Side, take_turns

WORKER = "benchmarks.gpu.worker"


class Team:
    """A context in which sides can be measured; at its end their processes end.

    A side that could not do a piece of work gets a new process for the next one: after some errors a GPU refuses all
    further work of a process.
    """

    def __init__(self, settings):
        self.settings, self.sides = settings, {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for name in list(self.sides):
            self.end(name)

    def end(self, name):
        """End the process of a side, which frees its memory of the GPU."""
        self.sides.pop(name).end()

    def side(self, name):
        """The process of a side."""
        if name not in self.sides:
            arguments = [name, self.settings.torch_device, *(["smoke"] if self.settings.smoke else [])]
            # Whether CuPy multiplies float32 matrices in TF32; it reads this once.
            environment = {"CUPY_TF32": "1" if name == f"{OURS}-tf32" else None} if name.startswith(OURS) else None
            self.sides[name] = Side(name, WORKER, arguments, environment)
        return self.sides[name]

    def measure(self, names, job, rounds, limit=None):
        """(Measured of each side that could do the job, {side: why not} of the others).

        limit: seconds until all sides have to be ready.
        """
        reasons = {}
        sides = [self.side(name) for name in names]
        measured = take_turns(sides, job, rounds, reasons.__setitem__, limit)
        for name in reasons:
            self.end(name)
        return measured, reasons
