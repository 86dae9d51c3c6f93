"""Settings of the package as they were before."""

from contextlib import contextmanager

import minception as mc


@contextmanager
def settings_kept(num_threads=None):
    """On so many threads if given; afterwards the threads, Winograd's setting and the precision are as before."""
    threads, winograd, precision = mc.get_num_threads(), mc.get_winograd(), mc.get_precision()
    mc.set_num_threads(num_threads or threads)
    try:
        yield
    finally:
        mc.set_num_threads(threads)
        mc.set_winograd(winograd)
        mc.set_precision(precision)
