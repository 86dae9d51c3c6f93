"""Ctrl-C as a request: the first is remembered until the current step is finished, the second stops at once."""

import contextlib
import os
import signal
import threading

from .errors import Interrupted

NOTE = "\nInterrupted: finishing the current step, then saving. Ctrl-C again stops at once, without saving.\n"


class Interruption:
    """Context manager that turns the first SIGINT into a flag; Python's own reaction comes back on the second.

    Outside the main thread, where Python allows no signal handlers, it changes nothing.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._previous = signal.signal(signal.SIGINT, self._remember)
        return self

    def __exit__(self, *exception):
        if self._main:
            signal.signal(signal.SIGINT, self._previous)

    def _remember(self, signal_number, frame):
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with contextlib.suppress(OSError):
            os.write(2, NOTE.encode())  # not print, which is unsafe in a handler: it may interrupt a print

    def check(self):
        """Raise Interrupted if Ctrl-C was pressed."""
        if self.requested:
            raise Interrupted
