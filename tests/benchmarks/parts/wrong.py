"""Runs to its end, and has a problem to tell; its table cannot be made."""


def run(settings, report):
    report.problems.append("a problem")


def lines(result):
    yield "a table"
    raise KeyError("no such column")
