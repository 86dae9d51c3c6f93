"""The process of a part: `python -m benchmarks.gpu.part MODULE REPORT SETTINGS`, SETTINGS in JSON.

It writes its `Report` into the file, an error too. Standard output is for progress.
"""

import importlib
import json
import sys
import traceback

from .parts import ERROR_LENGTH, Report, Settings


def main(module, path, settings):
    report = Report(path)
    try:
        importlib.import_module(module).run(Settings(**json.loads(settings)), report)
    except Exception as error:  # whatever it is, the report says so, and the other parts go on
        report.error = f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
        report.traceback = traceback.format_exc()[-ERROR_LENGTH:]
    report.save()


if __name__ == "__main__":
    main(*sys.argv[1:])
