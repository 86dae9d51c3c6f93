"""The picture of a network's graph as SVG."""

from xml.sax.saxutils import escape, quoteattr

from .diagram import ACTIVATION, CONVOLUTION, INPUT, JOIN, LINEAR, NORMALIZATION, OTHER, POOLING, Box, Frame
from .layout import Port, lay_out
from .pieces import FONT, SMALL_FONT, text_width
from .table import size_text

# Fill and border.
COLOURS = {
    CONVOLUTION: ("#d6e6fa", "#4a7ebb"),
    POOLING: ("#fbd9d3", "#c0614f"),
    NORMALIZATION: ("#e9dcf5", "#8a63b5"),
    ACTIVATION: ("#fdf0c4", "#b8963a"),
    JOIN: ("#d8efd3", "#5a9a4e"),
    LINEAR: ("#fbe0c3", "#c98434"),
    INPUT: ("#ffffff", "#555555"),
    OTHER: ("#eeeeee", "#777777"),
}
LEGEND = {
    CONVOLUTION: "convolution",
    POOLING: "pooling",
    NORMALIZATION: "normalisation",
    ACTIVATION: "activation",
    JOIN: "concatenation, sum",
    LINEAR: "fully connected",
}
MARGIN, HEADING, LEGEND_HEIGHT = 20, 30, 24
SWATCH = 12


def to_svg(diagram, title):
    """The text of an SVG file: `title`, the colours' meanings, and the diagram below, which flows downward.

    The same network gives the same bytes. Boxes are `<g class="box ...">`, frames `<g class="frame">`, both with the
    module's path in `data-module` and a tooltip.
    """
    picture = lay_out(diagram)
    kinds = [kind for kind in LEGEND if any(box.kind == kind for box in diagram.boxes)]
    legend, legend_width = _legend(kinds)
    width = max(picture.width, legend_width, text_width(title, 16)) + 2 * MARGIN
    top = MARGIN + HEADING + LEGEND_HEIGHT
    height = top + picture.height + MARGIN
    picture.moved((width - picture.width) / 2, top)
    frames = [place for place in picture.placed if isinstance(place.item, Frame)]
    boxes = [place for place in picture.placed if isinstance(place.item, Box)]
    ports = [place for place in picture.placed if isinstance(place.item, Port)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" font-family="Helvetica, Arial, sans-serif" '
        f'font-size="{FONT}">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0.5 L8 4 L0 7.5 z" fill="#333"/></marker></defs>',
        f'<rect class="page" width="{_n(width)}" height="{_n(height)}" fill="#ffffff"/>',
        f'<text x="{_n(width / 2)}" y="{MARGIN + 14}" text-anchor="middle" font-size="16" font-weight="bold">'
        f"{escape(title)}</text>",
        f'<g transform="translate({_n((width - legend_width) / 2)} {MARGIN + HEADING})">{legend}</g>',
        *map(_frame, frames),
        '<g class="arrows" fill="none" stroke="#333" stroke-width="1.2">',
        *map(_arrow, picture.arrows.values()),
        "</g>",
        *(f'<circle class="split" cx="{_n(place.x)}" cy="{_n(place.y)}" r="2.5" fill="#333"/>' for place in ports),
        *map(_box, boxes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _n(number):
    """A coordinate, to a tenth of a pixel."""
    return f"{round(number, 1):g}"


def _rect(place, fill, stroke, radius, extra=""):
    return (
        f'<rect x="{_n(place.x)}" y="{_n(place.y)}" width="{_n(place.width)}" height="{_n(place.height)}" '
        f'rx="{radius}" fill="{fill}" stroke="{stroke}"{extra}/>'
    )


def _text(x, y, text, anchor="middle", size=None, colour=None):
    size = "" if size is None else f' font-size="{size}"'
    colour = "" if colour is None else f' fill="{colour}"'
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{size}{colour}>{escape(text)}</text>'


def _box(place):
    box = place.item
    fill, stroke = COLOURS[box.kind]
    note = ", ".join(box.notes)
    tooltip = ": ".join(filter(None, (box.path, f"{size_text(box.shape)}")))
    x, middle = place.x + place.width / 2, place.y + place.height / 2
    is_sign = box.kind == JOIN and not box.joins_channels
    size = 17 if is_sign else None
    texts = [_text(x, middle + (6 if is_sign else 4), box.label, size=size)]
    if note:
        texts = [_text(x, middle - 2, box.label, size=size and 15), _text(x, middle + 11, note, size=SMALL_FONT)]
    radius = 17 if is_sign else 4
    return (
        f'<g class="box {box.kind}" data-module={quoteattr(box.path)}><title>{escape(tooltip)}</title>'
        f"{_rect(place, fill, stroke, radius)}{''.join(texts)}</g>"
    )


def _frame(place):
    frame = place.item
    baseline = place.y + 14
    return (
        f'<g class="frame" data-module={quoteattr(frame.title)}>'
        f"{_rect(place, '#f7f7f7', '#bbbbbb', 6)}"
        f"{_text(place.x + 8, baseline, frame.title, 'start')}"
        f"{_text(place.x + place.width - 8, baseline, size_text(frame.exit.shape), 'end', SMALL_FONT, '#666')}</g>"
    )


def _arrow(arrow):
    points = arrow.points
    corners = [p for i, p in enumerate(points) if not (0 < i < len(points) - 1 and _straight(*points[i - 1 : i + 2]))]
    path = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
    head = ' marker-end="url(#head)"' if arrow.has_head else ""
    return f'<polyline points="{path}"{head}/>'


def _straight(a, b, c):
    """Whether b adds nothing to the way from a to c."""
    return a[0] == b[0] == c[0] or a[1] == b[1] == c[1]


def _legend(kinds):
    """(elements, width) of the legend, its upper left corner at (0, 0)."""
    parts, x = [], 0
    for kind in kinds:
        fill, stroke = COLOURS[kind]
        parts.append(f'<rect class="key" x="{_n(x)}" width="{SWATCH}" height="{SWATCH}" rx="2" fill="{fill}" ')
        parts.append(f'stroke="{stroke}"/>{_text(x + SWATCH + 5, SWATCH - 2, LEGEND[kind], "start", SMALL_FONT)}')
        x += SWATCH + 5 + text_width(LEGEND[kind], SMALL_FONT) + 16
    return "".join(parts), max(x - 16, 0)
