"""The mutant table as text: each mistake, where it was made, and the first test that turned red."""


def lines(found):
    """Lines of a Markdown table from (name, function, test, message) as test_mutants records them."""
    yield "| mistake | in | caught by |"
    yield "|---|---|---|"
    for name, function, test, _ in found:
        yield f"| {name} | `{function.replace(':', '.')}` | `{test}` |"
    yield f"({len(found)} mutants, all caught)"
