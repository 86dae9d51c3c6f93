"""A line on stderr while kernels are compiled, which happens at the first start on a machine."""

import sys
import time
from contextlib import contextmanager

INTERVAL = 10.0  # seconds between lines where stderr is no terminal


class CompilationLine:
    """Counts the kernels that are compiled, and shows on stderr that it goes on; nothing if there are none to compile.

    On a terminal it is one line that changes; elsewhere a line at the beginning, now and then, and at the end, as with
    `live` False, for programs that write other lines meanwhile. With `show` False it only counts.

    count: how many were compiled.
    """

    def __init__(self, show=True, live=True):
        self.count = 0
        self._show, self._live = show, live and sys.stderr.isatty()
        self._depth, self._seconds, self._next_line = 0, 0.0, 0.0
        self._kept = True

    @contextmanager
    def watching(self, home):
        """Watch what is compiled inside the `with` block, where kernels run in `home`; yields this object."""
        if home != "cpu":  # has nothing to compile with Numba, and does without it: it takes time to import
            yield self
            return
        from minception.kernels.cpu import compile

        self._compile = compile
        try:
            with compile.watch_compilation(self._begins, self._ends):
                yield self
        finally:
            if self._next_line:  # something was shown
                self._write(f"Compiled {self.count} kernels in {self._seconds:.1f} s", end="\n")

    def _begins(self, kernel):
        self._depth += 1
        if self._depth == 1:  # others are compiled inside it
            self._began = time.monotonic()
            self._kept = self._compile.is_cached(kernel)
            self._report()

    def _ends(self, kernel):
        self._depth -= 1
        self.count += 1
        if self._depth == 0:
            self._seconds += time.monotonic() - self._began
        self._report()

    def _report(self):
        now = time.monotonic()
        if not self._show or (not self._live and now < self._next_line):
            return
        self._next_line = now + INTERVAL
        seconds = self._seconds + (now - self._began if self._depth else 0.0)
        when = "at the first start only" if self._kept else "at every start: no folder to keep them in can be written"
        done = f"{self.count} of at most {self._compile.count_declared()}, {seconds:.0f} s"
        self._write(f"Compiling kernels for this processor ({when}): {done}", end="" if self._live else "\n")

    def _write(self, text, end):
        start = "\r\x1b[K" if self._live else ""  # back to the beginning of the line, and erase it
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)
