"""Finding the layers of a network among those of a Keras file, by their names or by their order."""

from collections import Counter
from dataclasses import dataclass, field

from .errors import FormatError
from .keras_file import number
from .keras_names import CONVOLUTION, DENSE, HEADS, NORM, SEPARABLE, KerasLayer, layers_as_built, layers_by_depth

# What Keras's versions write before the number of a layer.
NUMBERED = {
    CONVOLUTION: ("conv2d", "convolution2d"),
    NORM: ("batch_normalization", "batchnormalization", "batch_normalization_v1", "batch_normalization_v2"),
}
SHOWN = 5  # names in an error message


@dataclass
class _Match:
    """Layers found, Keras's names for those not found, and layers of the file that are too many."""

    found: dict = field(default_factory=dict)
    missing: list = field(default_factory=list)
    unexpected: list = field(default_factory=list)

    def pair(self, layers, stored, kind):
        """Take `layers` and `stored` of one kind to be the same, one by one."""
        self.found.update(zip(layers, stored, strict=False))
        if len(stored) < len(layers):
            self.missing.append(f"{len(layers) - len(stored)} of {len(layers)} layers {kind}_N")
        self.unexpected.extend(stored[len(layers) :])

    def require_all(self, network):
        """Raise FormatError if anything is missing or unexpected."""
        if self.missing or self.unexpected:
            unexpected = [stored.name or stored.place for stored in self.unexpected]
            raise FormatError(
                f"does not hold Keras's {network}: missing {_listed(self.missing)}; unexpected {_listed(unexpected)}"
            )


def match(network, stored, head):
    """Dict from the layers of the network, as `KerasLayer`, to those of the file, the list `stored`. Its head is the
    only dense layer, under whatever name; it is not among them if the file has none or `head` is False.

    Raises FormatError for a file with other layers.
    """
    dense = [one for one in stored if one.kind == DENSE]
    others = [one for one in stored if one.kind != DENSE]
    names = [one.name for one in others]
    named = None not in names
    for name, count in Counter(names).items():
        if named and count > 1:
            raise FormatError(f"has {count} layers called {name}")
    result = _by_name(network, others) if named else _by_depth(network, others)
    result.require_all(network)
    if not (head and dense):
        return result.found
    if len(dense) > 1:
        found = _listed([one.name or one.place for one in dense])
        raise FormatError(f'has several dense layers ({found}), the model has one: load it with head="new"')
    return result.found | {KerasLayer(DENSE, HEADS[network]): dense[0]}


def _by_name(network, stored):
    """Numbered layers are those as built, in the order of their numbers; the others have their names."""
    result = _Match()
    layers = layers_as_built(network)
    rest = {one.name: one for one in stored}
    for kind, prefixes in NUMBERED.items():
        candidates = [one for one in stored if one.kind == kind and number(one.name)[0] in prefixes]
        candidates.sort(key=lambda one: number(one.name))
        result.pair([layer for layer in layers if layer.kind == kind and layer.name is None], candidates, kind)
        for one in candidates:
            del rest[one.name]
    for layer in layers:
        if layer.name is not None and layer.name in rest and rest[layer.name].kind == layer.kind:
            result.found[layer] = rest.pop(layer.name)
        elif layer.name is not None:
            result.missing.append(layer.name)
    result.unexpected.extend(rest.values())
    return result


def _by_depth(network, stored):
    """The layers of each kind are those of `model.layers`, in that order."""
    result = _Match()
    layers = layers_by_depth(network)
    kinds = CONVOLUTION, SEPARABLE, NORM
    for kind in kinds:
        of_kind = [layer for layer in layers if layer.kind == kind]
        result.pair(of_kind, [one for one in stored if one.kind == kind], kind)
    result.unexpected.extend(one for one in stored if one.kind not in kinds)
    return result


def _listed(names):
    if not names:
        return "nothing"
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
