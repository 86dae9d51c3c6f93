"""A roofline plot: how fast each layer runs, beside what the machine can do at its arithmetic intensity."""

import numpy as np

from minception.train.plots import new_figure, rendered

from .profile_result import DIRECTIONS, ENGINE

FORMATS = ("svg", "png")
MARKERS = {"forward": "o", "backward": "s", "update": "D"}
GREY = 7  # its place in Matplotlib's ten colours
LEAST_SHARE = 0.0005  # of the time; shorter rows are not drawn
LARGEST = 3000  # area of the marker of a row that takes all of the time, in square points ...
SMALLEST = 6  # ... and of one that takes none


def roofline(profile, format="svg", title=None):
    """Draw a `Profile`, with one point for each row; return the bytes of an SVG or PNG file.

    Colours tell kinds, markers directions, areas the shares of the time. What is outside kernels and what computes
    nothing (copies) has no place in the plot, and what is below 0.05 % of the time would be dust; how much that is
    stands below. Raises ValueError for another format.
    """
    if format not in FORMATS:
        raise ValueError(f'roofline: format must be "svg" or "png", got {format!r}')
    figure = new_figure(10, 6.2)
    axes = figure.add_axes((0.08, 0.13, 0.68, 0.79))
    rows = [row for row in profile.rows if row.flops and row.bytes and row.seconds > LEAST_SHARE * profile.seconds]
    _draw_roof(axes, profile.roof, rows)
    _draw_rows(axes, rows, profile)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("arithmetic intensity (FLOP/byte, every input read once, every output written once)")
    axes.set_ylabel("speed (GFLOP/s)")
    what = "training step" if profile.training else "evaluation"
    size = "x".join(map(str, (profile.batch_size, profile.in_channels, *profile.input_size)))
    axes.set_title(f"{title or profile.model}, {what}, {size}, {profile.roof.machine}: {profile.seconds * 1e3:,.1f} ms")
    axes.grid(alpha=0.3, which="major")
    _explain(figure, axes, rows, profile)
    return rendered(figure, format)


def _draw_roof(axes, roof, rows):
    """The roof, from half the least intensity to twice the largest."""
    intensities = [row.intensity for row in rows] + [roof.ridge]
    x = np.array([min(intensities) / 2, roof.ridge, max(intensities) * 2])
    y = np.minimum(x * roof.bytes_per_second, roof.flops_per_second) / 1e9
    axes.plot(x, y, color="black", linewidth=1.2)
    axes.annotate(
        f"{roof.flops_per_second / 1e9:,.0f} GFLOP/s", (x[2], y[2]), (0, 4), textcoords="offset points", ha="right"
    )
    axes.set_ylim(top=2.5 * y[2])
    middle = np.sqrt(x[0] * x[1])
    axes.annotate(
        f"{roof.bytes_per_second / 1e9:,.0f} GB/s",
        (middle, middle * roof.bytes_per_second / 1e9),
        (-6, 4),
        textcoords="offset points",
        ha="right",
    )


def _draw_rows(axes, rows, profile):
    colours = _colours(profile)
    for direction, marker in MARKERS.items():
        chosen = [row for row in rows if row.direction == direction]
        axes.scatter(
            [row.intensity for row in chosen],
            [row.flops / row.seconds / 1e9 for row in chosen],
            [SMALLEST + LARGEST * row.seconds / profile.seconds for row in chosen],
            [colours.get(row.kind, "grey") for row in chosen],
            marker=marker,
            alpha=0.6,
            linewidths=0.4,
            edgecolors="black",
        )


def _colours(profile):
    """A colour for each of the kinds that take most of the time."""
    from matplotlib import colormaps

    colours = [colour for i, colour in enumerate(colormaps["tab10"].colors) if i != GREY]
    return dict(zip((row.kind for row in profile.by("kind") if row.flops), colours, strict=False))


def _explain(figure, axes, rows, profile):
    """Legends of colours and markers, and a line about what is not drawn."""
    from matplotlib.lines import Line2D

    def mark(marker, colour, label):
        return Line2D([], [], marker=marker, color=colour, linestyle="", alpha=0.8, label=label)

    colours = _colours(profile)
    shares = {row.kind: row.seconds / profile.seconds for row in profile.by("kind")}
    marks = [mark("o", colour, f"{kind}, {shares[kind]:.0%}") for kind, colour in colours.items()]
    others = {row.kind for row in rows} - colours.keys()
    if others:
        marks.append(mark("o", "grey", f"others, {sum(shares[kind] for kind in others):.0%}"))
    present = {row.direction for row in rows}
    marks += [mark(MARKERS[direction], "white", direction) for direction in DIRECTIONS if direction in present]
    for line in marks:
        line.set_markeredgecolor("black")
    axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, title="kind, share of time")
    engine = sum(row.seconds for row in profile.rows if row.kind == ENGINE)
    copies = sum(row.seconds for row in profile.rows if row.kind != ENGINE and not row.flops)
    rest = profile.seconds - engine - copies - sum(row.seconds for row in rows)
    figure.text(
        0.08,
        0.025,
        f"Area: share of the time. Not drawn: {engine / profile.seconds:.1%} outside kernels, "
        f"{copies / profile.seconds:.1%} in kernels that only move data, {max(0, rest) / profile.seconds:.1%} in many "
        "short calls.",
        fontsize=8,
    )
