"""Saves what it has, and then takes too long, as does a process of its own."""

import subprocess
import sys
import time


def run(settings, report):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    report.result["child"] = child.pid
    report.save()
    time.sleep(100)


def lines(result):
    yield f"child {result['child']}"
