"""Settings of the package as they were before."""

from contextlib import contextmanager

import minception as mc


@contextmanager
def settings_kept(num_threads=None):
    """On so many threads if given; afterwards the number of threads and Winograd's setting are as before."""
    threads, winograd = mc.get_num_threads(), mc.get_winograd()
    mc.set_num_threads(num_threads or threads)
    try:
        yield
    finally:
        mc.set_num_threads(threads)
        mc.set_winograd(winograd)
