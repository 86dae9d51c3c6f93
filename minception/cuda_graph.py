"""CUDA graphs: what a GPU was given to do, written down once and given to it again with one call.

A small kernel takes less time than its launch from Python. A graph launches hundreds of them at once. Interface:
`torch.cuda.CUDAGraph` and `torch.cuda.graph`; source: CUDA C++ programming guide, "CUDA Graphs".
"""

from contextlib import contextmanager

from .kernels.capture import Capture, capturing, current_capture
from .kernels.transfer import on_device

__all__ = ["CUDAGraph", "graph", "is_current_stream_capturing"]


class CUDAGraph:
    """A sequence of kernels, captured inside `with minception.cuda.graph(g):`.

    `replay()` runs it again on the same memory: what was read then is read again, so new inputs are written into the
    same arrays before, and results are found where they were. The graph keeps the memory that was allocated in it.
    """

    def __init__(self):
        self.reset()

    def replay(self):
        """Run what was captured. Dropout draws new masks, as if it had been called again.

        RuntimeError: nothing has been captured.
        """
        if self._graph is None:
            raise RuntimeError("CUDAGraph.replay: nothing has been captured; use minception.cuda.graph")
        from .kernels.cuda.dropout import draw_key

        with on_device(self._device):
            for generator, key in self._capture.draws:
                key.set(draw_key(generator))
            self._graph.launch()

    def reset(self):
        """Forget what was captured, and give its memory back once no tensor uses it."""
        self._graph = self._device = self._memory = None
        self._capture = Capture()

    def _keep(self, graph, device, memory, capture):
        self._graph, self._device, self._memory, self._capture = graph, device, memory, capture


@contextmanager
def graph(cuda_graph):
    """Capture what the current GPU is given in the `with` block into a CUDAGraph; nothing of it is done yet.

    The same has to have run before, so that its kernels are compiled. In the block no value can be looked at, which
    includes labels: wrong ones are not noticed. Nothing can come from the CPU but plain numbers, which stay what they
    are then. Products of matrices are made by our own kernels, since CuPy cannot capture those of cuBLAS.

    TypeError: no CUDAGraph. RuntimeError: it holds something already, one is being captured, or there is no GPU; and
    what the GPU's driver says of a block that does what a capture cannot hold.
    """
    from .cuda import current_device

    if not isinstance(cuda_graph, CUDAGraph):
        raise TypeError(f"graph: expected a CUDAGraph, got {type(cuda_graph).__name__}")
    if cuda_graph._graph is not None:
        raise RuntimeError("graph: this CUDAGraph holds a capture already; reset it, or take a new one")
    if current_capture() is not None:
        raise RuntimeError("graph: a capture is going on already")
    device = f"cuda:{current_device()}"
    import cupy

    cupy.cuda.Device().synchronize()
    memory, capture = cupy.cuda.MemoryPool(), Capture()
    stream = cupy.cuda.Stream(non_blocking=True)
    # Memory of a pool of its own: what is freed in the block would else be given to others, and overwritten in replays.
    with stream, cupy.cuda.using_allocator(memory.malloc), capturing(capture):
        stream.begin_capture()
        try:
            yield
        except BaseException:
            _abandon(stream)
            raise
        captured = stream.end_capture()
    cuda_graph._keep(captured, device, memory, capture)


def _abandon(stream):
    """End a capture in which something went wrong; the driver complains of that too."""
    try:
        stream.end_capture()
    except RuntimeError:
        pass


def is_current_stream_capturing():
    """Whether this thread is inside of `with minception.cuda.graph(g):`."""
    return current_capture() is not None
