"""The sides on the CPU: minception, and PyTorch in several modes, each with two settings of malloc."""

from contextlib import contextmanager

from ..sides import OURS, Side, take_turns

# Large arrays of torch come fresh from the system at every call with glibc's default, and cost page faults; which of
# both is faster depends on the network, so both are tried.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
PEERS = ("torch", "torch-channels_last", "torch-compile-channels_last")
EAGER = PEERS[:2]
FOLDED = ("torch-channels_last-folded", "torch-compile-channels_last-folded")  # for evaluation


def side_on_cpu(name, threads, worker="benchmarks.cpu.worker"):
    """The process of a side, with so many threads. A name that ends with "+malloc" keeps freed memory."""
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads)}
    environment["OPENBLAS_CORETYPE"] = None  # the processor's own kernels, for both
    if name.endswith("+malloc"):
        environment |= KEEP_MEMORY
    return Side(name, worker, [name.removesuffix("+malloc"), threads], environment)


@contextmanager
def sides_of(peers, threads):
    """The processes of all sides, ours first, each peer once with either setting of malloc."""
    sides = [side_on_cpu(name, threads) for name in (OURS, *peers, *(f"{peer}+malloc" for peer in peers))]
    try:
        yield sides
    finally:
        for side in sides:
            side.end()


def compare(work, threads, rounds, peers=None, note=lambda text: None):
    """Time one piece of work on all sides, in processes of its own; see `take_turns`. peers: None for all."""
    if peers is None:
        peers = PEERS if work.training else PEERS + FOLDED
    with sides_of(peers, threads) as sides:
        return take_turns(sides, {"work": work.name}, rounds, lambda side, why: note(f"{work.name}: {side}: {why}"))
