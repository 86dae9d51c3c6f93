"""The report as text."""

import importlib


def text_of(report):
    """All parts that a report has, with what is wrong and what was left out first."""
    return "\n".join(_lines(report))


def _lines(report):
    settings = report["settings"]
    yield f"minception on a GPU, {report['date']}"
    if settings["smoke"]:
        yield "SMOKE: everything as small as can be; the times mean nothing"
    if settings["torch_device"] == "cpu":
        yield "PyTorch computed on the CPU, for a trial: do not compare with its times"
    for name, record in report["parts"].items():
        yield f"\n== {name}: {record['what']}: {record['status']} after {record['seconds']:.0f} s"
        if record["error"] is not None:
            yield f"error: {record['error']}"
        yield from (f"problem: {problem}" for problem in record["problems"])
        yield from (f"note: {note}" for note in record["notes"])
        try:
            yield from importlib.import_module(record["module"]).lines(record["result"])
        except Exception as error:  # of a part that was ended anywhere; the other tables go on
            yield f"no table: {type(error).__name__}: {error}"
