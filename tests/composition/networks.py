"""Random networks, drawn step by step by hypothesis.

The builder below knows the shape of every value so far and draws only what fits, so that nothing is filtered away.
Values used late are preferred, which makes chains; joins take any earlier value of the right shape, which makes
branches, residual sums and diamonds.
"""

import math
from dataclasses import replace

from hypothesis import strategies as st

from tests.composition import program as p
from tests.composition.shapes import layer_shape, output_shape
from tests.composition.windows import LONGEST_SIDE, conv_windows, pool_windows

MOST_CHANNELS = 8
booleans = st.booleans()

IMAGE_KINDS = (
    "convolution convolution depthwise separable batch_norm batch_norm relu elu max_pool rectified_pool avg_pool "
    "adaptive_pool global_pool pad response_norm dropout softmax channels swap_sides linear add scaled_add multiply "
    "concatenate residual inception inception excitation again again again flatten detach"
).split()
ROW_KINDS = (
    "linear again again batch_norm relu elu dropout softmax channels add scaled_add multiply concatenate detach"
).split()
NOT_SMOOTH = {"relu", "max_pool", "rectified_pool", "detach"}  # detach: its gradient is meant to differ from the slope


class Builder:
    """A network under construction. The methods named as in IMAGE_KINDS each add a step (or several)."""

    def __init__(self, draw, smooth):
        self.draw, self.smooth = draw, smooth
        self.shapes, self.inputs, self.layers, self.ties, self.steps = {}, [], [], [], []

    def add_input(self, shape):
        self.inputs.append((f"x{len(self.inputs)}", shape))
        self.shapes[self.inputs[-1][0]] = shape

    def add_step(self, operation, *sources):
        """Append a step; return the name of its result."""
        name = f"v{len(self.steps)}"
        self.steps.append(p.Step(name, operation, sources))
        self.shapes[name] = output_shape(operation, self.layers, [self.shapes[s] for s in sources])
        return name

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def recent(self):
        return list(self.shapes)[-self.pick(*(n for n in (1, 1, 1, 2, 3) if n <= len(self.shapes)))]

    def any_step(self):
        source = self.recent()
        kinds = IMAGE_KINDS if len(self.shapes[source]) == 4 else ROW_KINDS
        kind = self.pick(*(k for k in kinds if not (self.smooth and k in NOT_SMOOTH)))
        getattr(self, kind)(source)

    # Layers, new or used again

    def add_layer(self, layer, source):
        self.layers.append(layer)
        return self.add_step(p.Apply(len(self.layers) - 1), source)

    def again(self, source):
        """Run an earlier layer, or a new one with the weight of an earlier one; if none fits, a new one twice."""
        fitting = [i for i, layer in enumerate(self.layers) if fits(layer, self.shapes[source])]
        if not fitting:
            size = self.shapes[source][1]
            is_image = len(self.shapes[source]) == 4
            layer = p.Linear(size, size)
            y = self.convolution(source, True, size) if is_image else self.add_layer(layer, source)
            return self.add_step(self.steps[-1].operation, y)
        number = self.pick(*fitting)
        if "weight" not in self.layers[number].parameters() or not self.pick(False, False, True):
            return self.add_step(p.Apply(number), source)
        self.ties.append((len(self.layers), number))
        return self.add_layer(sibling(self.layers[number]), source)

    def convolution(self, source, keep_size=None, outputs=None):
        channels = self.shapes[source][1]
        groups = self.pick(*(g for g in (1, 2, 3) if channels % g == 0))
        outputs = outputs or self.outputs(source, 1)
        outputs = -(-outputs // groups) * groups
        window = self.draw(conv_windows(self.shapes[source][2:], keep_size))
        return self.add_layer(p.Convolution(channels, outputs, **window, groups=groups, bias=self.bias()), source)

    def depthwise(self, source):
        channels = self.shapes[source][1]
        multiplier = self.pick(1, 2) if 2 * channels <= MOST_CHANNELS else 1
        window = self.draw(conv_windows(self.shapes[source][2:]))
        return self.add_layer(p.Depthwise(channels, **window, multiplier=multiplier, bias=self.bias()), source)

    def separable(self, source):
        channels, window = self.shapes[source][1], self.draw(conv_windows(self.shapes[source][2:]))
        layer = p.Separable(channels, self.outputs(source, 1), **window, multiplier=self.pick(1, 2))
        return self.add_layer(layer, source)

    def bias(self):
        return self.draw(booleans)

    def outputs(self, source, axis):
        """As many channels or columns as there are already, so that the layer can run again; or another number."""
        own = self.shapes[source][axis]
        return own if own <= MOST_CHANNELS and self.draw(booleans) else self.draw(st.integers(1, 6))

    def linear(self, source):
        outputs = self.outputs(source, -1)
        return self.add_layer(p.Linear(self.shapes[source][-1], outputs, self.bias()), source)

    def batch_norm(self, source):
        shape = self.shapes[source]
        training, tracking = self.draw(booleans), self.draw(booleans)
        if math.prod(shape) == shape[1]:  # one value in each channel has no variance
            training, tracking = False, True
        momentum = self.pick(0.1, 0.7, None)
        layer = p.BatchNorm(shape[1], len(shape), training, momentum, self.pick(True, True, False), tracking)
        return self.add_layer(layer, source)

    # Operations on one value

    def relu(self, source):
        return self.elu(source) if self.smooth else self.add_step(p.Relu(), source)

    def elu(self, source):
        return self.add_step(p.Elu(1.0 if self.smooth else self.pick(1.0, 0.7)), source)

    def max_pool(self, source):
        return self.add_step(p.MaxPool(**self.draw(pool_windows(self.shapes[source][2:]))), source)

    def rectified_pool(self, source):
        """A ReLU, whose zeros tie, before a max pooling."""
        return self.max_pool(self.relu(source))

    def avg_pool(self, source):
        window = self.draw(pool_windows(self.shapes[source][2:]))
        divisor = self.pick(None, None, 3)
        return self.add_step(p.AvgPool(**window, include_pad=self.draw(booleans), divisor=divisor), source)

    def adaptive_pool(self, source):
        size = tuple(self.draw(st.integers(1, side + 1)) for side in self.shapes[source][2:])
        return self.add_step(p.AdaptivePool(size), source)

    def global_pool(self, source):
        return self.add_step(p.GlobalPool(), source)

    def pad(self, source):
        most = 2 if max(self.shapes[source][2:]) < LONGEST_SIDE else 0
        widths = tuple(self.draw(st.integers(0, most)) for _ in range(4))
        return self.add_step(p.Pad(widths, self.pick(0.0, -1.5)), source)

    def response_norm(self, source):
        constants = self.pick(0.5, 1e-4), self.pick(0.75, 0.5), self.pick(1.0, 2.0)
        return self.add_step(p.ResponseNorm(self.draw(st.integers(1, 5)), *constants), source)

    def dropout(self, source):
        return self.add_step(self.pick(p.Dropout(0.0, True), p.Dropout(0.6, False)), source)

    def softmax(self, source):
        return self.add_step(p.Softmax(self.pick(1, -1)), source)

    def channels(self, source):
        count = self.shapes[source][1]
        start = self.draw(st.integers(0, count - 1))
        return self.add_step(p.Channels(start, self.draw(st.integers(start + 1, count))), source)

    def swap_sides(self, source):
        return self.add_step(p.SwapSides(), source)

    def flatten(self, source):
        return self.add_step(p.Flatten(), source)

    def detach(self, source):
        return self.add_step(p.Detach(), source)

    # Joins

    def partner(self, source, fits):
        """A value that `fits` the shape of `source`; another one than `source` if there is one."""
        candidates = [v for v, shape in self.shapes.items() if fits(shape, self.shapes[source])]
        others = [v for v in candidates if v != source]
        return self.pick(*reversed(others or candidates))

    def add(self, source):
        return self.add_step(p.Add(), source, self.partner(source, broadcasts))

    def multiply(self, source):
        return self.add_step(p.Multiply(), source, self.partner(source, broadcasts))

    def scaled_add(self, source):
        return self.add_step(p.ScaledAdd(self.pick(0.3, -2.0)), source, self.partner(source, lambda a, b: a == b))

    def concatenate(self, source):
        def fits(a, b):
            return len(a) == len(b) and a[2:] == b[2:]

        return self.add_step(p.Concatenate(), source, self.partner(source, fits))

    def residual(self, source):
        """x + scale * f(x) for a convolution that keeps the shape (He et al. 2016; Szegedy et al. 2017)."""
        branch = self.convolution(source, keep_size=True, outputs=self.shapes[source][1])
        if self.draw(booleans):
            branch = self.batch_norm(branch)
        return self.add_step(p.ScaledAdd(self.pick(0.3, 1.0)), source, branch)

    def inception(self, source):
        """Branches of one value, joined along the channels (Szegedy et al. 2015)."""
        branches = [self.convolution(source, keep_size=True) for _ in range(self.draw(st.integers(1, 3)))]
        branches.append(self.relu(source) if self.draw(booleans) else source)
        return self.add_step(p.Concatenate(), *branches)

    def excitation(self, source):
        """Channels weighed by a function of their means (Hu et al. 2018)."""
        weights = self.convolution(self.global_pool(source), True, self.shapes[source][1])
        return self.add_step(self.pick(p.Multiply(), p.Add()), source, weights)

    # The end

    def head(self):
        """Join values that nothing uses yet, and end as they are, in a classifier or in a loss."""
        used = {source for step in self.steps for source in step.sources}
        loose = [v for v in self.shapes if v not in used]
        if len(loose) > 1 and self.pick(False, False, True):
            loose = loose[1:]  # the first one stays unused: nothing below it alone gets a gradient
        kind = self.pick("tensor", "logits", "cross-entropy")
        if len(loose) == 1 and kind == "tensor":
            return loose[0]
        rows = [v if len(self.shapes[v]) == 2 else self.flatten(v) for v in loose]
        y = rows[0] if len(rows) == 1 else self.add_step(p.Concatenate(), *rows)
        if kind == "tensor":
            return y
        y = self.linear(y)
        return y if kind == "logits" else self.cross_entropy(y)

    def cross_entropy(self, source):
        count, classes = self.shapes[source]
        labels = [self.draw(st.integers(0, classes - 1))]
        labels += [self.draw(st.integers(0, classes - 1) | st.just(-100)) for _ in range(count - 1)]
        options = self.pick(0.0, 0.1), self.pick("mean", "sum", "none"), self.draw(booleans)
        return self.add_step(p.CrossEntropy(tuple(labels), *options), source)


def sibling(layer):
    """A layer whose weight has the same shape, but which is another one otherwise."""
    match layer:
        case p.BatchNorm():
            return replace(layer, momentum=0.3)
        case p.Linear():
            return replace(layer, bias=not layer.bias)
    return replace(layer, stride=(2, 1), padding=(2, 2))


def fits(layer, shape):
    """Whether a layer can run on a value of this shape."""
    if isinstance(layer, p.Linear):
        return shape[-1] == layer.inputs
    if shape[1] != layer.inputs:
        return False
    if isinstance(layer, p.BatchNorm):
        return len(shape) == layer.rank and not (layer.uses_batch and math.prod(shape) == shape[1])
    return len(shape) == 4 and min(layer_shape(layer, shape)[2:]) > 0


def broadcasts(other, shape):
    """Whether `other` has this shape, or one value in each of its channels."""
    return other == shape or (len(shape) == 4 and other == (*shape[:2], 1, 1))


@st.composite
def networks(draw, smooth=False, most_steps=8, largest=(3, 6, LONGEST_SIDE, LONGEST_SIDE)):
    """A network of up to `most_steps` drawn steps and a head, with inputs of at most the shape `largest`.

    With `smooth` it is differentiable everywhere.
    """
    builder = Builder(draw, smooth)
    shape = tuple(draw(st.integers(1, most)) for most in largest)
    if draw(booleans):  # so that convolutions can have groups of several channels
        shape = (shape[0], min(4, largest[1]), *shape[2:])
    builder.add_input(shape)
    if draw(booleans):
        builder.add_input((shape[0], draw(st.sampled_from([shape[1], 1, 3])), *shape[2:]))
    for _ in range(draw(st.integers(1, most_steps))):
        if len(builder.steps) < most_steps:
            builder.any_step()
    output = builder.head()
    parts = (tuple(part) for part in (builder.inputs, builder.layers, builder.steps))
    seed = draw(st.integers(0, 2**32 - 1))
    network = p.Network(*parts, output, tuple(builder.ties), integers=draw(booleans), seed=seed)
    frozen = draw(st.lists(st.sampled_from(list(network.leaves())), max_size=2, unique=True))
    return replace(network, frozen=tuple(frozen))
