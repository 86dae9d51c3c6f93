"""An exclusive lock between processes and threads, held on an open file; the system drops it if the holder dies."""

import os
import time
from contextlib import contextmanager

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    HELD_BY_ANOTHER = PermissionError

    def _try_lock(descriptor):
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    HELD_BY_ANOTHER = BlockingIOError

    def _try_lock(descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(path, on_wait=None, poll=0.05):
    """Hold the lock on the file `path` (made if absent, left behind empty), waiting for as long as another has it.

    on_wait: called once, without arguments, if there is someone to wait for. poll: seconds between two looks.
    Raises OSError if the file cannot be made or its file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while True:
            try:
                _try_lock(descriptor)
                break
            except HELD_BY_ANOTHER:
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                time.sleep(poll)
        yield
    finally:
        os.close(descriptor)  # closing releases
