"""Where the boxes of a diagram stand and how its arrows run: downward, with one column for each branch.

A network is a series of boxes with bundles of parallel branches between them, and every branch is such a series again.
A box belongs to the series itself if all paths lead through it. What lies between two of those falls apart into
branches, which stand side by side in the order in which the box below reads them; before a concatenation they end in
the same row. So a box's row is its longest path to the box below. An arrow that passes by a branch is a column too.
What leads to an auxiliary output stands at the right.

Arrows are orthogonal. They run across only in the gap between two that follow each other, where there is no box at all,
and down only in columns of their own.
"""

from dataclasses import dataclass

from .diagram import JOIN, Box, Frame
from .pieces import box_piece, frame_piece, join, port_piece, side_by_side, wire
from .rows import in_rows
from .structure import Edge, components, cut, separators


@dataclass(eq=False)
class Port:
    """The point inside a frame at which the arrow from the box `source` outside splits up."""

    source: Box


def lay_out(diagram):
    """The finished `Piece` of a `Diagram`: every Box, Frame and Port placed, every arrow complete."""
    return _Layout(diagram).whole()


class _Layout:
    def __init__(self, diagram):
        self.diagram = diagram
        self.order = {box: index for index, box in enumerate(diagram.boxes)}
        self.frames = {box: frame for frame in diagram.frames for box in frame.boxes}

    def whole(self):
        nodes = list(dict.fromkeys(self.frames.get(box, box) for box in self.diagram.boxes))
        keys = dict.fromkeys(
            (self.frames.get(source, source), self.frames.get(box, box))
            for box in self.diagram.boxes
            for source in box.inputs
        )
        return self.series(nodes, [Edge(*key, key) for key in keys if key[0] is not key[1]])

    def series(self, nodes, edges):
        """The piece of `nodes`, each after those that lead to it, and of all edges from, to and between them."""
        stops = separators(nodes, edges)
        if not stops and len(components(nodes, edges)) == 1:
            return in_rows(nodes, edges, self.piece)
        place = {node: index for index, node in enumerate(nodes)}
        whole = None
        for above, below in zip((None, *stops), (*stops, None), strict=True):
            between = nodes[0 if above is None else place[above] + 1 : len(nodes) if below is None else place[below]]
            span = None
            if between:
                passing = [edge for edge in edges if edge.source is above and edge.target is below]
                bundle = self.bundle(between, edges, passing, below)
                span = bundle.axis, bundle.width - bundle.axis
                whole = join(whole, bundle)
            if below is not None:
                whole = join(whole, self.piece(below, edges, whole, span))
        return whole

    def bundle(self, nodes, edges, passing, below):
        """The branches that `nodes` fall apart into, and the edges that pass by them, beside each other."""
        branches = [(self.rank([edge]), wire(edge.key)) for edge in passing]
        main = None
        for part in components(nodes, edges):
            inside = set(part)
            own = [cut(edge, inside) for edge in edges if edge.source in inside or edge.target in inside]
            branch = self.series(part, own)
            branches.append((self.rank([edge for edge in own if edge.target is None]), branch))
            if self.frames.get(self.diagram.outputs[0], self.diagram.outputs[0]) in inside:
                main = branch
        branches.sort(key=lambda branch: (branch[0], branch[1] is not main))  # auxiliary ones come after the main one
        pieces = [piece for _, piece in branches]
        if isinstance(below, Box) and below.kind == JOIN and not below.joins_channels:
            main = max(pieces, key=lambda piece: piece.height)
        targets = [edge.key[1] for edge in edges if edge.source in nodes and edge.target not in nodes]
        before_concatenation = any(isinstance(target, Box) and target.joins_channels for target in targets)
        return side_by_side(pieces, main, "bottom" if before_concatenation else "middle")

    def rank(self, edges):
        """Where edges are first read: (number of the box that reads, position among its inputs)."""
        ranks = [(len(self.order), 0)]
        for source, target in (edge.key for edge in edges):
            if isinstance(target, Box):
                read = source.exit if isinstance(source, Frame) else getattr(source, "source", source)
                ranks.append((self.order[target], target.inputs.index(read)))
        return min(ranks)

    def piece(self, node, edges, above=None, span=None):
        """The piece of a single node; see `box_piece` for `above` and `span`."""
        incoming = [edge.key for edge in edges if edge.target is node]
        outgoing = [edge.key for edge in edges if edge.source is node]
        if isinstance(node, Port):
            return port_piece(node, incoming, outgoing)
        if isinstance(node, Frame):
            return frame_piece(node, self.inside(node, incoming, outgoing))
        return box_piece(node, incoming, outgoing, above, span)

    def inside(self, frame, incoming, outgoing):
        """The piece of what is in a frame, whose own edges have these keys."""
        pairs = dict.fromkeys((source, box) for box in frame.boxes for source in box.inputs)
        readers = [box for source, box in pairs if source is frame.source]
        edges = [Edge(*pair, pair) for pair in pairs if pair[0] is not frame.source]
        edges += [Edge(frame.exit, None, key) for key in outgoing]
        if len(readers) == 1:
            edges += [Edge(None, readers[0], key) for key in incoming]
            return self.series(frame.boxes, edges)
        port = Port(frame.source)
        edges += [Edge(None, port, key) for key in incoming]
        edges += [Edge(port, box, (port, box)) for box in readers]
        return self.series([port, *frame.boxes], edges)
