"""Networks that long searches found to break a test: kept, and tried every time."""

from tests.composition.program import (
    AdaptivePool,
    Apply,
    BatchNorm,
    Concatenate,
    Convolution,
    CrossEntropy,
    Dropout,
    Flatten,
    Linear,
    Network,
    Step,
    SwapSides,
)

# The right class has a probability of almost 1: the loss and its gradient are differences of nearly equal numbers.
NEARLY_CERTAIN = Network(
    inputs=(("x0", (1, 4, 4, 5)),),
    layers=(
        Convolution(
            inputs=4, outputs=2, kernel=(1, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, bias=False
        ),
        Linear(inputs=40, outputs=2, bias=False),
    ),
    steps=(
        Step(name="v0", operation=Apply(layer=0), sources=("x0",)),
        Step(name="v1", operation=Flatten(), sources=("v0",)),
        Step(name="v2", operation=Apply(layer=1), sources=("v1",)),
        Step(
            name="v3",
            operation=CrossEntropy(labels=(1,), smoothing=0.0, reduction="mean", weighted=False),
            sources=("v2",),
        ),
    ),
    output="v3",
    ties=(),
    frozen=(),
    integers=True,
    seed=0,
)

# Batch norm of a batch norm: the gradient of the first bias is 0, but for terms that cancel, magnified twice.
NORMALISED_TWICE = Network(
    inputs=(("x0", (1, 4, 3, 7)),),
    layers=(BatchNorm(inputs=4, rank=4, training=False, momentum=0.1, affine=True, tracking=False),) * 2,
    steps=(
        Step(name="v0", operation=Apply(layer=0), sources=("x0",)),
        Step(name="v1", operation=Apply(layer=1), sources=("v0",)),
    ),
    output="v1",
    ties=(),
    frozen=(),
    integers=True,
    seed=7428,
)

# A dropout without effect returns its input itself, so that two uses are in truth three.
HIDDEN_USE = Network(
    inputs=(("x0", (1, 1, 1, 3)),),
    layers=(),
    steps=(
        Step(name="v0", operation=Dropout(p=0.0, training=True), sources=("x0",)),
        Step(name="v1", operation=AdaptivePool(size=(1, 1)), sources=("v0",)),
        Step(name="v2", operation=SwapSides(), sources=("x0",)),
        Step(name="v3", operation=Dropout(p=0.0, training=True), sources=("v0",)),
        Step(name="v4", operation=Flatten(), sources=("v1",)),
        Step(name="v5", operation=Flatten(), sources=("v2",)),
        Step(name="v6", operation=Flatten(), sources=("v3",)),
        Step(name="v7", operation=Concatenate(), sources=("v4", "v5", "v6")),
    ),
    output="v7",
    ties=(),
    frozen=(),
    integers=False,
    seed=0,
)
