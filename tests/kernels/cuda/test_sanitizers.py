"""Every kernel under the sanitizers of addresses and undefined behaviour: nothing out of bounds, no overflow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minception.kernels.cuda import source
from minception.kernels.cuda.emulated import SANITIZERS

EMULATOR = Path(__file__).with_name("emulator.cu")


@pytest.fixture
def run(tmp_path):
    """Runs `every_kernel.py` with sanitizers, whose library has to be there before Python is."""
    found = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip("g++ has no libasan, the library of its address sanitizer")
    added = {
        "LD_PRELOAD": found,
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        SANITIZERS: "address,undefined",
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run(*arguments):
        command = [sys.executable, "-m", "tests.kernels.cuda.every_kernel", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | added, cwd=Path.cwd())

    return run


def test_nothing_is_out_of_bounds(run):
    done = run()
    assert done.returncode == 0, done.stderr
    files = [path.name for path in source.FOLDER.glob("*.cu")]
    everything = {f"{file}:{name}" for file in files for name in source.kernel_names(source.source_text(file))}
    assert set(done.stdout.split()) == everything


@pytest.mark.parametrize(
    ("kernel", "message"), [("half_warp", "heap-buffer-overflow"), ("overflowing", "signed integer overflow")]
)
def test_mistakes_are_noticed(run, kernel, message):
    done = run(EMULATOR, kernel)
    assert done.returncode != 0 and message in done.stderr
