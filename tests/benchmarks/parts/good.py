"""Says what it was told."""


def run(settings, report):
    report.result["seconds"] = settings.seconds
    report.notes.append("a note")


def lines(result):
    yield f"told {result['seconds']:.1f} seconds"
