"""A summary as text."""

HEADER = ("module", "type", "output", "parameters", "MACs (M)", "memory (MiB)", "receptive field")
LEFT = 3  # columns of words and shapes; the numbers after them are set flush right
NOTHING = "-"


def as_table(summary):
    """The rows of a `Summary` as a table, its totals in the last line and, in words, below."""
    lines = [HEADER, *map(_cells, summary.rows)]
    total = ("total", "", "", *_numbers(summary), "")
    widths = [max(map(len, column)) for column in zip(*lines, total, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    header, *body = (_line(cells, widths) for cells in lines)
    return "\n".join([header, rule, *body, rule, _line(total, widths), "", *_words(summary)])


def size_text(size):
    """A height and width, or another shape, as in 3 x 224 x 224; a word as it is."""
    return size if isinstance(size, str) else " x ".join(map(str, size))


def _cells(row):
    name = f"{row.name} *" if row.auxiliary else row.name
    shape = "never run" if row.output_shape is None else size_text(row.output_shape)
    field = NOTHING if row.receptive_field is None else size_text(row.receptive_field)
    return name, row.type, shape, *_numbers(row), field


def _numbers(costs):
    return (
        f"{costs.parameters:,}" if costs.parameters else NOTHING,
        _decimal(costs.multiply_accumulates / 1e6),
        _decimal(costs.activation_bytes / 2**20),
    )


def _decimal(number):
    return NOTHING if number == 0 else "< 0.01" if number < 0.005 else f"{number:,.2f}"


def _line(cells, widths):
    words = [cell.ljust(width) for cell, width in zip(cells[:LEFT], widths, strict=False)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[LEFT:], widths[LEFT:], strict=True)]
    return "  ".join(words + numbers).rstrip()


def _words(summary):
    auxiliary = summary.auxiliary_parameters
    heads = f", {auxiliary:,} of them in auxiliary heads (*), which run in training only" if auxiliary else ""
    images = "1 image" if summary.batch_size == 1 else f"{summary.batch_size:,} images"
    memory = f"{summary.activation_bytes / 2**20:,.2f} MiB"
    yield f"Parameters: {summary.parameters:,}{heads}"
    yield f"Multiply-accumulates: {summary.multiply_accumulates:,} for 1 image in evaluation"
    yield f"Activation memory: {memory} for {images} in training, what the forward pass keeps for the backward pass"
    if summary.receptive_field is not None:
        field = size_text(summary.receptive_field)
        yield f"Receptive field: {field} pixels of the image for one value of {summary.last_layer}"
