"""The error table as text: for each operation and result the worst error of every home, and of torch."""

from .rounding import LAMBDA


def lines(found):
    """Lines of a Markdown table from (operation, home, {result: (ours, torch's)}) as test_rounding records them."""
    homes = list(dict.fromkeys(home for _, home, _ in found))
    rows = {}
    for operation, home, worst in found:
        for result, (ours, theirs) in worst.items():
            row = rows.setdefault((operation, result), {})
            row[home] = ours
            row["torch"] = max(theirs, row.get("torch", 0.0))
    columns = [*homes, "torch"]
    yield "| operation | result | " + " | ".join(columns) + " |"
    yield "|---|---|" + "---:|" * len(columns)
    for (operation, result), row in rows.items():
        numbers = " | ".join(f"{row[column]:.2f}" if column in row else "-" for column in columns)
        yield f"| {operation} | {result} | {numbers} |"
    yield f"(allowed in the tests of values: {LAMBDA / 2:g} sqrt(roundings))"
