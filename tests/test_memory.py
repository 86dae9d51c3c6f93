"""The allocator setting: accepted by glibc, harmless elsewhere."""

import platform
import subprocess
import sys

from minception import memory

PROGRAM = """
import resource
import numpy as np
from minception.memory import keep_freed_memory
kept = keep_freed_memory()
def fill():
    np.ones(10_000_000, np.float32)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    fill()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_arrays_are_used_again():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    kept, faults = result.stdout.split()
    if platform.libc_ver()[0] == "glibc":
        assert kept == "True"
        assert int(faults) < 1000  # five fresh arrays of 40 MB would fault about 50,000 times


def test_another_c_library_changes_nothing(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed_memory() is False
