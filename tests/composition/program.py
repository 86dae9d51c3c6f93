"""A small network as data: what it computes, written down without computing it.

A `Network` is a list of steps, each of which makes one named value out of earlier ones: "x0", "x1" are the inputs,
"v0", "v1", ... the results. Everything here is a frozen dataclass, so that a network can be printed, compared and
pasted into a test, and so that a failing one shrinks to a few lines. The values are images (N, C, H, W) or rows
(N, K); N is the same throughout.
"""

from dataclasses import dataclass

# Layers: steps that own parameters. `parameters()` gives their shapes by name.


@dataclass(frozen=True)
class Convolution:
    """(N, inputs, H, W) to (N, outputs, H', W'); `padding` is a pair (height, width) or "same"."""

    inputs: int
    outputs: int
    kernel: tuple = (1, 1)
    stride: tuple = (1, 1)
    padding: object = (0, 0)
    dilation: tuple = (1, 1)
    groups: int = 1
    bias: bool = True

    def parameters(self):
        weight = {"weight": (self.outputs, self.inputs // self.groups, *self.kernel)}
        return weight | ({"bias": (self.outputs,)} if self.bias else {})


@dataclass(frozen=True)
class Depthwise:
    """Each of the `inputs` channels by itself, with `multiplier` kernels."""

    inputs: int
    kernel: tuple = (1, 1)
    stride: tuple = (1, 1)
    padding: object = (0, 0)
    dilation: tuple = (1, 1)
    multiplier: int = 1
    bias: bool = True

    @property
    def outputs(self):
        return self.inputs * self.multiplier

    def parameters(self):
        weight = {"weight": (self.outputs, 1, *self.kernel)}
        return weight | ({"bias": (self.outputs,)} if self.bias else {})


@dataclass(frozen=True)
class Separable:
    """A depthwise convolution without bias, then a 1x1 convolution."""

    inputs: int
    outputs: int
    kernel: tuple = (1, 1)
    stride: tuple = (1, 1)
    padding: object = (0, 0)
    dilation: tuple = (1, 1)
    multiplier: int = 1
    bias: bool = True

    def parameters(self):
        middle = self.inputs * self.multiplier
        weights = {
            "depthwise.weight": (middle, 1, *self.kernel),
            "pointwise.weight": (self.outputs, middle, 1, 1),
        }
        return weights | ({"pointwise.bias": (self.outputs,)} if self.bias else {})


@dataclass(frozen=True)
class BatchNorm:
    """Of images or rows with `inputs` channels. Each has its own mode, so that one network mixes both."""

    inputs: int
    rank: int
    training: bool = True
    momentum: float | None = 0.1
    affine: bool = True
    tracking: bool = True

    @property
    def uses_batch(self):
        return self.training or not self.tracking

    def parameters(self):
        return {"weight": (self.inputs,), "bias": (self.inputs,)} if self.affine else {}

    def buffers(self):
        shapes = {"running_mean": (self.inputs,), "running_var": (self.inputs,), "num_batches_tracked": ()}
        return shapes if self.tracking else {}


@dataclass(frozen=True)
class Linear:
    """Over the last axis."""

    inputs: int
    outputs: int
    bias: bool = True

    def parameters(self):
        weight = {"weight": (self.outputs, self.inputs)}
        return weight | ({"bias": (self.outputs,)} if self.bias else {})


CONVOLUTIONS = (Convolution, Depthwise, Separable)

# Operations


@dataclass(frozen=True)
class Apply:
    """Run layer number `layer` of the network. Two steps with one number share the parameters (and statistics)."""

    layer: int


@dataclass(frozen=True)
class Relu:
    pass


@dataclass(frozen=True)
class Elu:
    alpha: float = 1.0


@dataclass(frozen=True)
class MaxPool:
    kernel: tuple
    stride: tuple
    padding: tuple = (0, 0)
    ceil: bool = False


@dataclass(frozen=True)
class AvgPool:
    kernel: tuple
    stride: tuple
    padding: tuple = (0, 0)
    ceil: bool = False
    include_pad: bool = True
    divisor: int | None = None


@dataclass(frozen=True)
class AdaptivePool:
    size: tuple


@dataclass(frozen=True)
class GlobalPool:
    pass


@dataclass(frozen=True)
class Pad:
    widths: tuple  # left, right, top, bottom
    value: float = 0.0


@dataclass(frozen=True)
class ResponseNorm:
    size: int
    alpha: float = 0.5
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True)
class Dropout:
    """Without effect: p is 0 or the mode is evaluation."""

    p: float = 0.0
    training: bool = True


@dataclass(frozen=True)
class Softmax:
    axis: int


@dataclass(frozen=True)
class Channels:
    """The channels (or columns) from `start` up to `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class SwapSides:
    """Height and width exchanged: a view whose memory is in another order."""


@dataclass(frozen=True)
class Flatten:
    pass


@dataclass(frozen=True)
class Detach:
    pass


@dataclass(frozen=True)
class Add:
    """Of two values; one of them may be a (N, C, 1, 1) that is broadcast."""


@dataclass(frozen=True)
class ScaledAdd:
    scale: float


@dataclass(frozen=True)
class Multiply:
    """Of two values; one of them may be a (N, C, 1, 1) that is broadcast, as in squeeze-and-excitation."""


@dataclass(frozen=True)
class Concatenate:
    """Along the channels: the end of an Inception module."""


@dataclass(frozen=True)
class CrossEntropy:
    labels: tuple
    smoothing: float = 0.0
    reduction: str = "mean"
    weighted: bool = False


@dataclass(frozen=True)
class Step:
    name: str
    operation: object
    sources: tuple


@dataclass(frozen=True)
class Network:
    """Inputs as pairs (name, shape), layers, ties, steps in an order in which they can run, and what comes out.

    `ties` are pairs (later, earlier) of layers: the weight of the later one is the weight of the earlier one.
    `frozen` names inputs and parameters that require no gradient. `integers` makes the inputs small integers, which
    tie in max pooling. `seed` stands for all numbers, see `numbers.py`.
    """

    inputs: tuple
    layers: tuple
    steps: tuple
    output: str
    ties: tuple = ()
    frozen: tuple = ()
    integers: bool = False
    seed: int = 0

    def leaves(self):
        """Name and shape of every input and parameter; a tied weight comes once, under its first name."""
        leaves = dict(self.inputs)
        for number, layer in enumerate(self.layers):
            for name, shape in layer.parameters().items():
                if self.owner(f"layers.{number}.{name}") == f"layers.{number}.{name}":
                    leaves[f"layers.{number}.{name}"] = shape
        return leaves

    def owner(self, parameter):
        """The name under which a parameter's numbers are kept: that of the weight it is tied to, or its own."""
        for later, earlier in self.ties:
            if parameter == f"layers.{later}.weight":
                return self.owner(f"layers.{earlier}.weight")
        return parameter
