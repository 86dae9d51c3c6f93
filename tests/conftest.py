"""Test settings: hypothesis profiles, and torch on one thread that does not spin."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}
settings.register_profile("quick", max_examples=25, derandomize=True, **COMMON)
settings.register_profile("deep", max_examples=1600, **COMMON)
settings.load_profile("quick")
# Hypothesis also draws numbers that it finds in the source of the modules that happen to be loaded, so that what a test
# draws would depend on which tests ran before it in the same process. This makes "derandomize" mean what it says.
providers.HypothesisProvider._local_constants = providers.Constants()

torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption("--error-table", action="store_true", help="print the worst float32 errors beside torch's")
    parser.addoption("--mutant-table", action="store_true", help="print which test catches which wrong kernel")


def pytest_terminal_summary(terminalreporter, config):
    from tests.mutants import mutant_table
    from tests.table import error_table

    reports = [report for group in ("passed", "failed") for report in terminalreporter.stats.get(group, [])]
    recorded = [pair for report in reports for pair in report.user_properties]
    tables = {
        "error_table": ("rounding", "worst float32 errors, in eps * magnitude (tests/table/rounding.py)", error_table),
        "mutant_table": ("mutant", "wrong kernels, and the first test that notices (tests/mutants)", mutant_table),
    }
    for option, (key, title, module) in tables.items():
        if config.getoption(option):
            terminalreporter.section(title)
            found = [value for name, value in recorded if name == key]
            terminalreporter.write("\n".join(module.lines(found)) + "\n")


@pytest.fixture(autouse=True)
def _settings_kept():
    from tests.kept_settings import settings_kept

    with settings_kept():
        yield


@pytest.fixture
def rng():
    """A NumPy generator with a fixed seed."""
    import numpy as np

    return np.random.default_rng(0)
