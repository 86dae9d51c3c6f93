"""The layout of what is no series of branches: rows by longest path, and a lane for every arrow that skips a row."""

from .pieces import COLUMN_GAP, GAP, TURN, Arrow, Piece

LANE_WIDTH, LANE_STEP = 10, 4  # lanes turn a little below each other, so that arrows of several boxes can be told apart


def in_rows(nodes, edges, piece_of):
    """The piece of `nodes`, each after those that lead to it, and of `edges`; `piece_of(node, edges)` is that of one.

    A node stands one row below the lowest of those that lead to it.
    """
    row = {}
    for node in nodes:
        above = [row[edge.source] for edge in edges if edge.target is node and edge.source is not None]
        row[node] = 1 + max(above, default=-1)
    rows = [[node for node in nodes if row[node] == index] for index in range(max(row.values()) + 1)]
    pieces = {node: piece_of(node, edges) for node in nodes}
    lanes = [edge for edge in edges if _skips(edge, row, len(rows))]
    gap = GAP + LANE_STEP * len(lanes)
    inner_width = max(sum(pieces[n].width + COLUMN_GAP for n in members) - COLUMN_GAP for members in rows)
    width = inner_width + LANE_WIDTH * len(lanes)
    tops, bottoms = [], []
    for members in rows:
        tops.append(bottoms[-1] + gap if bottoms else 0)
        bottoms.append(tops[-1] + max(pieces[node].height for node in members))
        x = (inner_width - sum(pieces[n].width + COLUMN_GAP for n in members) + COLUMN_GAP) / 2
        for node in members:
            pieces[node].moved(x, tops[-1])
            x += pieces[node].width + COLUMN_GAP
    whole = Piece(width, bottoms[-1], inner_width / 2)
    whole.placed = [place for node in nodes for place in pieces[node].placed]
    whole.arrows = {key: arrow for node in nodes for key, arrow in pieces[node].arrows.items()}
    for edge in edges:
        upper = [] if edge.source is None else pieces[edge.source].arrows[edge.key].points
        lower = [] if edge.target is None else pieces[edge.target].arrows[edge.key].points
        lane = lanes.index(edge) if edge in lanes else 0
        turn = TURN + LANE_STEP * lane
        if edge in lanes:
            x = inner_width + LANE_WIDTH * (lane + 1)
            above = [(upper[-1][0], bottoms[row[edge.source]] + turn)] if upper else []
            below = [(lower[0][0], tops[row[edge.target]] - gap + turn)] if lower else []
            between = [*above, (x, above[0][1] if above else 0), (x, below[0][1] if below else whole.height), *below]
        elif upper and lower:
            y = bottoms[row[edge.source]] + turn
            between = [(upper[-1][0], y), (lower[0][0], y)]
        else:
            between = [(upper[-1][0], whole.height)] if upper else [(lower[0][0], 0)]
        has_head = edge.target is None or pieces[edge.target].arrows[edge.key].has_head
        points = [*upper, *between, *lower]
        whole.arrows[edge.key] = Arrow(points, edge.source is None, edge.target is None, has_head)
    return whole


def _skips(edge, row, count):
    """Whether an edge has more to pass than the gap below its source."""
    above = -1 if edge.source is None else row[edge.source]
    below = count if edge.target is None else row[edge.target]
    return below - above > 1
