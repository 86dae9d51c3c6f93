"""Times of work on a GPU, by events: marks in the queue of kernels, whose times the GPU itself takes.

Before each call all of a large buffer is read, so that nothing of the call's data is in the GPU's cache (60 MB of an
H200), and so that the processor has time to launch the call's kernels: what is between the two marks is then the work
of the GPU, without gaps, as long as the launches take no longer than reading does.
"""

import time

BUFFER_BYTES, SMALL_BUFFER_BYTES = 1 << 30, 1 << 12  # half a millisecond of an H200, at 2 of its 4.8 TB/s


class CupyClock:
    """Of what is launched by way of CuPy, on its current device."""

    def __init__(self, buffer_bytes=BUFFER_BYTES):
        self.buffer_bytes, self.buffer = buffer_bytes, None

    def fill(self):
        """Read the buffer."""
        import cupy

        if self.buffer is None:
            self.buffer = cupy.ones(self.buffer_bytes // 4, cupy.float32)
        self.buffer.sum()

    def seconds(self, function):
        """Seconds of one call."""
        from cupy import cuda

        start, stop = cuda.Event(), cuda.Event()
        self.fill()
        start.record()
        function()
        stop.record()
        stop.synchronize()
        return cuda.get_elapsed_time(start, stop) / 1e3

    def wait(self):
        """Until all that was launched is done."""
        import cupy

        cupy.cuda.Device().synchronize()


class TorchClock:
    """Of what PyTorch computes on a GPU, or on the CPU to try it out."""

    def __init__(self, device, buffer_bytes=BUFFER_BYTES):
        self.device, self.buffer_bytes, self.buffer = device, buffer_bytes, None

    def fill(self):
        import torch

        if self.buffer is None:
            self.buffer = torch.ones(self.buffer_bytes // 4, device=self.device)
        self.buffer.sum()

    def seconds(self, function):
        import torch

        self.fill()
        if self.device == "cpu":
            started = time.perf_counter()
            function()
            return time.perf_counter() - started
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) / 1e3

    def wait(self):
        import torch

        if self.device != "cpu":
            torch.cuda.synchronize()


def seconds_of_calls(clock, function, calls):
    """Seconds of each of so many calls, one behind the other, by the processor's clock: with what launching takes."""
    clock.wait()
    started = time.perf_counter()
    for _ in range(calls):
        function()
    clock.wait()
    return (time.perf_counter() - started) / calls
