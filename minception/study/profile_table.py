"""A profile as text."""

from .profile_result import ENGINE

NUMBERS = ("calls", "ms", "share", "GFLOP", "MB", "GFLOP/s", "GB/s", "of floor", "kept MiB")
NOTHING = "-"


def as_text(profile, by="kind", top=15):
    """The rows added up by `by` and direction, the `top` slowest rows, and the totals in words."""
    groups = [((_word(row, by), row.direction), row) for row in profile.by(by, "direction")]
    lines = _table((by, "direction"), groups, profile)
    if top > 0:
        rows = [row for row in profile.rows if row.kind != ENGINE]
        slowest = sorted(rows, key=lambda row: -row.seconds)[:top]
        named = [((row.layer or f"({profile.model})", row.kind, pass_of(row)), row) for row in slowest]
        lines += ["", f"The slowest of {len(rows)}:", ""]
        lines += _table(("layer", "kind", "pass"), named, profile, single=True)
    return "\n".join([*lines, "", *_words(profile)])


def pass_of(row):
    """The direction of a row, and of a backward pass that has several parts also which: "backward input"."""
    _, backward, part = row.kernel.partition("_backward_")
    return f"backward {part}" if backward else row.direction


def _word(row, field):
    return getattr(row, field) or ("the network itself" if field == "layer" and row.kind != ENGINE else NOTHING)


def _table(names, rows, profile, single=False):
    """Lines of a table. rows: pairs of words, as many as `names`, and a `ProfileRow`.

    single: the rows are calls, which are neither counted nor added up.
    """
    first = 1 if single else 0
    lines = [(*names, *NUMBERS[first:]), *((*words, *_numbers(row, profile.seconds)[first:]) for words, row in rows)]
    if not single:
        (whole,) = profile.by()
        lines.append(("total", *[""] * (len(names) - 1), *_numbers(whole, profile.seconds)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        "  ".join(
            cell.ljust(width) if i < len(names) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in lines
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return [texts[0], rule, *texts[1:]] if single else [texts[0], rule, *texts[1:-1], rule, texts[-1]]


def _numbers(row, whole):
    return (
        f"{row.calls:,}" if row.calls else NOTHING,
        f"{row.seconds * 1e3:,.2f}",
        f"{row.seconds / whole:.1%}" if whole else NOTHING,
        _decimal(row.flops / 1e9),
        _decimal(row.bytes / 1e6),
        _decimal(row.flops / row.seconds / 1e9 if row.seconds else 0),
        _decimal(row.bytes / row.seconds / 1e9 if row.seconds else 0),
        f"{row.of_floor:.0%}" if row.floor_seconds else NOTHING,
        _decimal(row.saved_bytes / 2**20),
    )


def _decimal(number):
    return NOTHING if number == 0 else "< 0.01" if number < 0.005 else f"{number:,.2f}"


def _words(profile):
    roof, what = profile.roof, "training step" if profile.training else "forward pass in evaluation"
    yield (
        f"A {what} of {profile.batch_size:,} images, medians of {profile.repeat}: {profile.seconds * 1e3:,.1f} ms, "
        f"{profile.batch_size / profile.seconds:,.0f} images/s; unobserved {profile.step_seconds * 1e3:,.1f} ms"
    )
    yield (
        f"Roof, {roof.machine}: {roof.flops_per_second / 1e9:,.0f} GFLOP/s (matrix product), "
        f"{roof.bytes_per_second / 1e9:,.1f} GB/s (copy, read + write)"
    )
    yield (
        "Floor: the longer of FLOP / peak and bytes / bandwidth; bytes are every input read once, every output written "
        "once"
    )
    yield (
        f"Memory: {profile.saved_bytes / 2**20:,.1f} MiB kept for the backward pass, at most "
        f"{profile.peak_bytes / 2**20:,.1f} MiB of arrays at a time"
    )
