"""How far a network is taken apart: what is shown as a whole."""

from .. import nn
from .structure import Edge, components, separators

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
JOINS = ("Concatenate", "Add", "ScaledAdd")


class Parts:
    """What of a network is shown as a whole, and which modules above are divided.

    depth: how many levels below the network itself there may be parts. None: the network's children are parts, but a
    Sequential, a ModuleList or a ModuleDict is divided into its children in turn. Then there are groups besides: where
    layers that are parts have flat names, such as inception_3a_1x1 and inception_3a_3x3, a bundle of branches together
    with the operation that joins them is a part, which is called by what their names have in common, inception_3a.
    """

    def __init__(self, model, recorded, depth=None):
        self.divided = set()
        for path, module in model.named_modules():
            level = path.count(".") + 1 if path else 0
            above_is_divided = not path or path.rpartition(".")[0] in self.divided
            divide = (not path or type(module) in CONTAINERS) if depth is None else level < depth
            if divide and above_is_divided and next(module.children(), None) is not None:
                self.divided.add(path)
        self.recorded = recorded
        self.groups = {}  # path of a module, or number of an operation: name of the group that it belongs to
        if depth is None and recorded.outputs:
            self.groups = self._find_groups()

    def part_of(self, path):
        """The name of the part that the module at `path` is or lies in, or None if that module is divided itself."""
        if path in self.divided:
            return None
        names = path.split(".") if path else []
        above = ("", *(".".join(names[: i + 1]) for i in range(len(names))))
        part = next(prefix for prefix in above if prefix not in self.divided)
        return self.groups.get(part, part)

    def part_of_operation(self, number):
        """The name of the part that an operation belongs to, or None if a divided module does it itself."""
        return self.groups.get(number, self.part_of(self.recorded.operations[number].call.path))

    def _find_groups(self):
        """`self.groups`, of which there are none or several: a single one is rather the inside of a module."""
        bundles = [(name, members) for members in self._bundles() if (name := self._common_name(members))]
        names = [name for name, _ in bundles]
        if len(names) < 2 or len(set(names)) < len(names):
            return {}
        return {member: name for name, members in bundles for member in members}

    def _bundles(self):
        """Lists of paths of parts and numbers of operations: branches, and the operation that joins them."""
        operations = self.recorded.operations
        way = self.recorded.ancestors(self.recorded.outputs[0])
        unit = {number: self.part_of_operation(number) for number in way}
        unit = {number: number if part is None else part for number, part in unit.items()}
        nodes = list(dict.fromkeys(unit.values()))
        place = {node: index for index, node in enumerate(nodes)}
        pairs = {(unit.get(i), unit[number]): None for number in way for i in operations[number].inputs}
        edges = [Edge(*pair, pair) for pair in pairs if pair[0] != pair[1]]
        if any(edge.source is not None and place[edge.source] > place[edge.target] for edge in edges):
            return  # a part ran twice, before and after another
        stops = separators(nodes, edges)
        for above, below in zip([None, *stops], stops, strict=False):
            between = nodes[0 if above is None else place[above] + 1 : place[below]]
            if len(components(between, edges)) > 1 and below in way and operations[below].kind in JOINS:
                yield [*between, below]

    def _common_name(self, members):
        """What the layers among `members` have in common in their names, up to a "_"; "" if nothing, or no module."""
        paths = [member for member in members if isinstance(member, str)]
        modules = {path.rpartition(".")[0] for path in paths}
        modules |= {self.recorded.operations[member].call.path for member in members if not isinstance(member, str)}
        if len(modules) != 1 or not paths:
            return ""
        first, last = min(paths), max(paths)  # what these two begin with, all begin with
        common = first[: next((i for i, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), None)]
        (module,) = modules
        name = common.rpartition("_")[0]
        return name if name[len(module) :].strip(".") else ""
