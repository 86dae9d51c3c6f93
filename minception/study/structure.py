"""The structure of a graph: the nodes that all paths lead through, and what falls apart between them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edge:
    """From `source` to `target`, either of which is None if it lies outside the part that is being laid out.

    key: what the same edge is known by inside and outside.
    """

    source: object
    target: object
    key: tuple


def cut(edge, inside):
    """The edge as it looks from among the nodes `inside`."""
    source = edge.source if edge.source in inside else None
    return Edge(source, edge.target if edge.target in inside else None, edge.key)


def separators(nodes, edges):
    """The nodes through which all paths lead: every other comes before or after, and no edge passes them by.

    Each of `nodes` comes after those that lead to it.
    """
    place = {node: index for index, node in enumerate(nodes)}
    sources, targets = {node: [] for node in nodes}, {node: [] for node in nodes}
    for edge in edges:
        if edge.source is not None and edge.target is not None:
            sources[edge.target].append(edge.source)
            targets[edge.source].append(edge.target)
    before, after = _reached(nodes, sources, place), _reached(nodes[::-1], targets, place)
    everything = (1 << len(nodes)) - 1
    spans = [
        (-1 if edge.source is None else place[edge.source], len(nodes) if edge.target is None else place[edge.target])
        for edge in edges
    ]
    return [
        node
        for node in nodes
        if before[node] | after[node] | 1 << place[node] == everything
        and not any(first < place[node] < last for first, last in spans)
    ]


def _reached(nodes, neighbours, place):
    """For each node all that its `neighbours`, who come earlier in `nodes`, lead to: a set as the bits of a number."""
    reached = {}
    for node in nodes:
        bits = 0
        for neighbour in neighbours[node]:
            bits |= reached[neighbour] | 1 << place[neighbour]
        reached[node] = bits
    return reached


def components(nodes, edges):
    """Lists of the nodes that hang together, each in the order of `nodes`."""
    group = {node: [node] for node in nodes}
    for edge in edges:
        first, second = group.get(edge.source), group.get(edge.target)
        if first is not None and second is not None and first is not second:
            first += second
            group.update(dict.fromkeys(second, first))
    distinct = {id(members): set(members) for members in group.values()}
    return [[node for node in nodes if node in members] for members in distinct.values()]
