"""Finds something, then raises."""


def run(settings, report):
    report.result["found"] = 1
    raise ValueError("what went wrong")


def lines(result):
    yield f"found {result['found']}"
