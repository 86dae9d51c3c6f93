"""Pieces of a picture, which are put below or beside each other: boxes with the arrows that lead to and from them."""

from dataclasses import dataclass, field

from .diagram import JOIN
from .table import size_text

FONT, SMALL_FONT = 12, 10
BOX_WIDTH, BOX_HEIGHT, SYMBOL_WIDTH = 118, 34, 34
GAP, TURN = 26, 9  # between boxes that follow each other; how far below the upper one an arrow turns
COLUMN_GAP, WIRE_WIDTH, NEAR = 16, 20, 12
FRAME_PADDING, TITLE_HEIGHT = 12, 22


@dataclass(eq=False)
class Arrow:
    """A line through the points (x, y). Where it is open it still ends at the top or bottom of its piece. has_head:
    whether it ends in a box, not in the port of a frame."""

    points: list
    open_top: bool = False
    open_bottom: bool = False
    has_head: bool = True


@dataclass(eq=False)
class Placed:
    """A box, a frame or a port, with its rectangle."""

    item: object
    x: float
    y: float
    width: float
    height: float


@dataclass(eq=False)
class Piece:
    """Rectangles and arrows within (0, 0, width, height). axis: the x at which it continues above and below.

    arrows: dict from the key of an edge to its `Arrow`.
    """

    width: float
    height: float
    axis: float
    placed: list = field(default_factory=list)
    arrows: dict = field(default_factory=dict)

    def moved(self, dx, dy):
        """The piece itself, with everything in it shifted."""
        for place in self.placed:
            place.x += dx
            place.y += dy
        for arrow in self.arrows.values():
            arrow.points = [(x + dx, y + dy) for x, y in arrow.points]
        return self

    def reach(self, bottom):
        """The x up to which there is something above y = bottom."""
        right = [place.x + place.width for place in self.placed if place.y < bottom]
        for arrow in self.arrows.values():
            right += [x for x, y in arrow.points if y < bottom]
        return max(right, default=0)


def text_width(text, size=FONT):
    """About how wide a text is in a sans-serif font."""
    return 0.58 * size * len(text)


def wire(key):
    """A column for one arrow that passes by."""
    arrow = Arrow([(WIRE_WIDTH / 2, 0)], open_top=True, open_bottom=True)
    return Piece(WIRE_WIDTH, 0, WIRE_WIDTH / 2, arrows={key: arrow})


def port_piece(port, incoming, outgoing):
    """The point at which an arrow splits up; the arrows in and out have no gap there."""
    piece = _block(port, 0, 0, 0, incoming, outgoing)
    for key in incoming:
        piece.arrows[key].has_head = False
    return piece


def box_piece(box, incoming, outgoing, above=None, span=None):
    """A box with arrows open at its top and bottom, in the middle.

    A concatenation is as wide as the branches that it joins, `span` (left, right of the axis), and takes their arrows
    where they come down, which is seen from the piece `above`.
    """
    note = ", ".join(box.notes)
    width = max(text_width(box.label), text_width(note, SMALL_FONT)) + 16
    width = max(width, SYMBOL_WIDTH if box.kind == JOIN else BOX_WIDTH)
    axis = width / 2
    if box.joins_channels:
        left, right = span or (0, 0)
        axis = max(left, BOX_WIDTH / 2, width / 2)
        width = axis + max(right, BOX_WIDTH / 2, width / 2)
    piece = _block(box, width, BOX_HEIGHT, axis, incoming, outgoing)
    if box.joins_channels and above is not None:
        for key in incoming:
            piece.arrows[key].points = [(axis + above.arrows[key].points[-1][0] - above.axis, 0)]
    return piece


def _block(item, width, height, axis, incoming, outgoing):
    arrows = {key: Arrow([(axis, 0)], open_top=True) for key in incoming}
    arrows |= {key: Arrow([(axis, height)], open_bottom=True) for key in outgoing}
    return Piece(width, height, axis, [Placed(item, 0, 0, width, height)], arrows)


def frame_piece(frame, inside):
    """A frame with its title around a piece."""
    title, shape = text_width(frame.title) + 12, text_width(size_text(frame.exit.shape), SMALL_FONT) + 12
    left = max(FRAME_PADDING, title + FRAME_PADDING - inside.axis)
    right = max(FRAME_PADDING, shape + FRAME_PADDING - (inside.width - inside.axis))
    width, height = left + inside.width + right, TITLE_HEIGHT + inside.height + FRAME_PADDING
    inside.moved(left, TITLE_HEIGHT)
    for arrow in inside.arrows.values():
        if arrow.open_top:
            arrow.points.insert(0, (arrow.points[0][0], 0))
        if arrow.open_bottom:
            arrow.points.append((arrow.points[-1][0], height))
    placed = [Placed(frame, 0, 0, width, height), *inside.placed]
    return Piece(width, height, left + inside.axis, placed, inside.arrows)


def join(above, below):
    """One piece of two, `below` GAP under `above`, their axes in line and their open arrows connected."""
    if above is None:
        return below
    axis = max(above.axis, below.axis)
    top = above.height + GAP
    above.moved(axis - above.axis, 0)
    right = max(above.width - above.axis, below.width - below.axis)
    symbol = _symbol(below)
    below.moved(axis - below.axis, top)
    arrows = dict(above.arrows)
    for key, lower in below.arrows.items():
        upper = arrows.get(key)
        if upper is None or not (upper.open_bottom and lower.open_top):
            arrows[key] = lower
            continue
        points = _connected(upper.points, lower.points, symbol)
        arrows[key] = Arrow(points, upper.open_top, lower.open_bottom, lower.has_head)
    return Piece(axis + right, top + below.height, axis, above.placed + below.placed, arrows)


def _symbol(piece):
    """The place of a sum, which arrows also enter from the sides, if that is all that the piece is."""
    item = piece.placed[0].item if len(piece.placed) == 1 else None
    is_symbol = getattr(item, "kind", None) == JOIN and not item.joins_channels
    return piece.placed[0] if is_symbol else None


def _connected(upper, lower, symbol):
    (x1, y1), (x2, _) = upper[-1], lower[0]
    if abs(x1 - x2) < 0.5:
        return upper + lower
    if symbol is not None and not symbol.x <= x1 <= symbol.x + symbol.width:
        side = symbol.x if x1 < symbol.x else symbol.x + symbol.width
        y = symbol.y + symbol.height / 2
        return [*upper, (x1, y), (side, y)]
    return [*upper, (x1, y1 + TURN), (x2, y1 + TURN), *lower]


def side_by_side(pieces, main=None, vertical="middle"):
    """Pieces beside each other as one. vertical: "middle" or "bottom", where those stand that lead on downward.

    Others stand at the top, and as far left as there is room for them: they are auxiliary. `main`, if not None, is the
    piece whose axis becomes that of all; else that is in the middle. Its own end does not make it auxiliary.
    """
    height = max(piece.height for piece in pieces)
    right = 0  # of what is not auxiliary
    done = []
    for piece in pieces:
        leads_on = any(arrow.open_bottom for arrow in piece.arrows.values())
        if leads_on or piece is main:
            x, right = right, right + piece.width + COLUMN_GAP
            done.append(piece.moved(x, _room_above(piece, height, vertical) if leads_on else 0))
        else:
            x = max((other.reach(piece.height + GAP) + COLUMN_GAP for other in done), default=0)
            done.append(piece.moved(x, 0))
        piece.axis += x
        for arrow in piece.arrows.values():
            if arrow.open_top:
                arrow.points.insert(0, (arrow.points[0][0], 0))
            if arrow.open_bottom:
                arrow.points.append((arrow.points[-1][0], height))
    width = max(piece.reach(height + 1) for piece in done)
    axis = _middle(max(right - COLUMN_GAP, 0) / 2, done) if main is None else main.axis
    placed = [place for piece in done for place in piece.placed]
    arrows = {key: arrow for piece in done for key, arrow in piece.arrows.items()}
    return Piece(width, height, axis, placed, arrows)


def _middle(x, pieces):
    """`x`, or the axis of a piece that is so near that an arrow had better be straight."""
    nearest = min((piece.axis for piece in pieces), key=lambda axis: abs(axis - x))
    return nearest if abs(nearest - x) < NEAR else x


def _room_above(piece, height, vertical):
    return (height - piece.height) / (1 if vertical == "bottom" else 2)
