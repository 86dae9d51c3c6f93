"""Which layer of keras.applications is which module of the networks here.

Keras numbers most layers in the order in which they were built ("conv2d_17"; the first number depends on what was built
before) and gives the others a name. Its `.weights.h5` and `.keras` files go by another order, that of `model.layers`:
from the image to the logits by the distance to the logits, so that the layers of parallel branches alternate. Both
orders follow from the tables below.

A network is a list of modules, one after the other. A module is written as its branches, in the order in which Keras
builds them; a branch as its convolutions; "a,b" are two convolutions of the same input, "+" is a concatenation or a
pool. Every convolution but the up-projections of the residual blocks has a batch norm.
"""

from dataclasses import dataclass
from typing import NamedTuple

CONVOLUTION, SEPARABLE, NORM, DENSE = "conv2d", "separable_conv2d", "batch_normalization", "dense"


@dataclass(frozen=True)
class KerasLayer:
    """A layer of Keras with weights: its kind, the name of our module, and its name if Keras does not number it."""

    kind: str
    module: str
    name: str | None = None


class Step(NamedTuple):
    """A convolution with the layer after it, `distance` steps before the end of its module."""

    distance: int
    layers: tuple


def _unit(convolution, norm, name=None, separable=False):
    """A convolution and its batch norm (or None); with a `name` of its own, Keras calls the norm `name` + "_bn"."""
    layers = [KerasLayer(SEPARABLE if separable else CONVOLUTION, convolution, name)]
    if norm is not None:
        layers.append(KerasLayer(NORM, norm, name and f"{name}_bn"))
    return tuple(layers)


def _module(prefix, *branches):
    """The steps of one module in the order of building; its convolutions are our `conv` and `bn` under each name."""
    steps = []
    for branch in branches:
        words = branch.split()
        for place, word in enumerate(words):
            for name in word.split(",") if word != "+" else ():
                module = prefix + name
                steps.append(Step(len(words) - place, _unit(f"{module}.conv", f"{module}.bn")))
    return steps


def _single(*unit, **options):
    """A module of one convolution."""
    return [Step(1, _unit(*unit, **options))]


def _inception_v3():
    thin = "branch1x1", "branch5x5_1 branch5x5_2", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", "branch_pool"
    to_17x17 = "branch3x3", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
    factorized = (
        "branch1x1",
        "branch7x7_1 branch7x7_2 branch7x7_3",
        "branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5",
        "branch_pool",
    )
    to_8x8 = "branch3x3_1 branch3x3_2", "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"
    wide = (
        "branch1x1",
        "branch3x3_1 branch3x3_2a,branch3x3_2b +",
        "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a,branch3x3dbl_3b +",
        "branch_pool",
    )
    return [
        _module("", "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3"),
        *(_module(f"Mixed_{name}.", *thin) for name in ("5b", "5c", "5d")),
        _module("Mixed_6a.", *to_17x17),
        *(_module(f"Mixed_{name}.", *factorized) for name in ("6b", "6c", "6d", "6e")),
        _module("Mixed_7a.", *to_8x8),
        *(_module(f"Mixed_{name}.", *wide) for name in ("7b", "7c")),
    ]


def _inception_resnet_v2():
    triple = "branch0", "branch1.0 branch1.1", "branch2.0 branch2.1 branch2.2"
    double = "branch0", "branch1.0 branch1.1 branch1.2"

    def block(prefix, branches, name):
        return [_module(f"{prefix}.", *branches), _single(f"{prefix}.conv2d", None, name=f"{name}_conv")]

    modules = [
        _module("", "conv2d_1a conv2d_2a conv2d_2b conv2d_3b conv2d_4a"),
        _module("mixed_5b.", *triple, "branch3.1"),
    ]
    for index in range(10):
        modules += block(f"repeat.{index}", triple, f"block35_{index + 1}")
    modules.append(_module("mixed_6a.", *double))
    for index in range(20):
        modules += block(f"repeat_1.{index}", double, f"block17_{index + 1}")
    to_8x8 = "branch0.0 branch0.1", "branch1.0 branch1.1", "branch2.0 branch2.1 branch2.2"
    modules.append(_module("mixed_7a.", *to_8x8))
    for index in range(10):
        prefix = f"repeat_2.{index}" if index < 9 else "block8"
        modules += block(prefix, double, f"block8_{index + 1}")
    modules.append(_single("conv2d_7b.conv", "conv2d_7b.bn", name="conv_7b"))
    return modules


def _xception():
    def block(number):
        """Block `number` of ours, which is `number + 1` of Keras: the skip, and separable convolutions in `rep`."""
        first = 0 if number == 1 else 1  # the first block has no ReLU in front
        count = 3 if 4 <= number <= 11 else 2
        prefix, name = f"block{number}", f"block{number + 1}_sepconv"
        steps = [] if count == 3 else [Step(1, _unit(f"{prefix}.skip", f"{prefix}.skipbn"))]
        for place in range(count):
            index = first + 3 * place
            unit = _unit(f"{prefix}.rep.{index}", f"{prefix}.rep.{index + 1}", f"{name}{place + 1}", separable=True)
            steps.append(Step(1 + count - place, unit))  # the pool or the addition is the last step
        return steps

    return [
        _single("conv1", "bn1", name="block1_conv1"),
        _single("conv2", "bn2", name="block1_conv2"),
        *(block(number) for number in range(1, 13)),
        _single("conv3", "bn3", name="block14_sepconv1", separable=True),
        _single("conv4", "bn4", name="block14_sepconv2", separable=True),
    ]


NETWORKS = {"inception_resnet_v2": _inception_resnet_v2, "inception_v3": _inception_v3, "xception": _xception}
HEADS = {"inception_resnet_v2": "classif", "inception_v3": "fc", "xception": "fc"}


def layers_as_built(network):
    """The layers of the network without its head, in the order of building."""
    return [layer for module in NETWORKS[network]() for step in module for layer in step.layers]


def layers_by_depth(network):
    """The same layers in the order of `model.layers`, as far as layers of one kind go."""
    modules = (sorted(module, key=lambda step: -step.distance) for module in NETWORKS[network]())
    return [layer for module in modules for step in module for layer in step.layers]
