"""A plugin of pytest that writes down each outcome as it comes, so that it counts even if the run is ended.

A line of JSON for each: {"collected": N}, {"test": NAME, "outcome": "passed", "failed" or "skipped", "text": TEXT}.
"""

import json
import os

import pytest

from .suite import FAILURE_LENGTH, RECORD


class Recorder:
    def __init__(self, path):
        self.file = open(path, "a")  # until the process ends

    def write(self, **event):
        self.file.write(json.dumps(event) + "\n")
        self.file.flush()

    def pytest_unconfigure(self):
        self.file.close()

    def pytest_collection_finish(self, session):
        self.write(collected=len(session.items))

    @pytest.hookimpl(optionalhook=True)  # there is none without xdist
    def pytest_xdist_node_collection_finished(self, node, ids):
        self.write(collected=len(ids))

    def pytest_runtest_logreport(self, report):
        """A test counts when it has been called, or was skipped or failed around that."""
        if report.when == "call" or report.outcome != "passed":
            text = report.longreprtext[-FAILURE_LENGTH:] if report.failed else ""
            self.write(test=report.nodeid, outcome=report.outcome, text=text)


def pytest_configure(config):
    """Only of the process that hears of all tests: not of xdist's workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(os.environ[RECORD]), "benchmarks-recorder")
