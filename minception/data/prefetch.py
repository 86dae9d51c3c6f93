"""Compute the next items of a sequence in a background thread while the current one is in use."""

import threading
from collections import deque
from sys import is_finalizing


def prefetch(function, arguments, depth):
    """Yield `function(argument)` for each of `arguments`, in order, up to `depth` of them computed ahead.

    depth 0 computes each when it is asked for, in the caller's thread, with the same results. An exception in
    `function` is raised here, at the item it belongs to. The thread starts with the first item and ends with the
    last one, with an exception, or when the generator is closed: by `close()`, by leaving the loop, by the collector.
    """
    if depth == 0:
        for argument in arguments:  # not `map`, which a StopIteration in `function` would end as if all were done
            yield function(argument)
        return
    worker = _Worker(function, arguments, depth)
    worker.thread.start()
    try:
        while (result := worker.next()) is not None:
            yield result[0]
    finally:
        worker.stop()


class _Worker:
    """The background thread and what it shares with the consumer, all of it guarded by one condition."""

    def __init__(self, function, arguments, depth):
        self.function, self.arguments, self.depth = function, arguments, depth
        self.results = deque()  # 1-tuples, in order
        self.error = None  # of the item after the last of `results`
        self.finished = self.stopped = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, name="minception-prefetch", daemon=True)

    def next(self):
        """The next result in a 1-tuple, None after the last; raises the worker's exception where it occurred."""
        with self.changed:
            self.changed.wait_for(lambda: self.results or self.finished)
            if not self.results:
                if self.error is None:
                    return None
                error, self.error = self.error, None
                try:
                    raise error
                finally:
                    del error  # its traceback leads here: a cycle would keep every prepared batch alive
            self.changed.notify_all()
            return self.results.popleft()

    def stop(self):
        """End the thread, at latest after the item that it is computing, and wait for that."""
        if is_finalizing():  # the interpreter has then ended all daemon threads, waiting for one would take forever
            return
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        if threading.current_thread() is not self.thread:  # it is where the collector runs in that very thread
            self.thread.join()

    def _run(self):
        try:
            for argument in self.arguments:
                with self.changed:
                    self.changed.wait_for(lambda: self.stopped or len(self.results) < self.depth)
                    if self.stopped:
                        return
                result = self.function(argument)
                with self.changed:
                    self.results.append((result,))
                    self.changed.notify_all()
        except BaseException as error:
            self.error = error
        finally:
            with self.changed:
                self.finished = True
                self.changed.notify_all()
