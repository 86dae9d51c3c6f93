"""Its process is ended by a signal, after it has said something."""

import os
import signal
import sys


def run(settings, report):
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def lines(result):
    yield from ()
