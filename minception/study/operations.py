"""What a recorded forward pass consists of: runs of modules, and operations, numbered in their order."""

from dataclasses import dataclass, field

from ..kernels.checks import pair

BATCH = 2  # images of the recorded pass: batch norm needs two values per channel, even where one pixel is left
IMAGE = -1  # stands for the network's input where operations are numbered


@dataclass(eq=False)
class Call:
    """One run of a module's forward: the `repetition`-th of that module, from 0, inside the run `parent` of another.

    start: how many operations came before. output: the number of the operation that made its (first) output, IMAGE if
    that is the image itself, None if the network does not use it. shape: of the output, (N, ...).
    """

    path: str
    module: object
    parent: "Call | None"
    repetition: int
    start: int = 0
    output: int | None = None
    shape: tuple = ()

    def above(self, path):
        """This run or the one around it that is of the module at `path`, None if there is none."""
        call = self
        while call is not None and call.path != path:
            call = call.parent
        return call


@dataclass(frozen=True)
class Window:
    """A sliding window; pairs are (for height, for width), `padding` is what lies before the image."""

    kernel_size: tuple
    stride: tuple
    padding: tuple
    dilation: tuple


@dataclass(frozen=True)
class Operation:
    """One differentiable operation between the image and an output of the network.

    kind: the name of its Function class. call: the innermost run of a module in which it ran. inputs: the numbers of
    the operations that it reads, or IMAGE. shape: of its output, (BATCH, ...). window: of convolutions and pools.
    facts: what else tells it from others of its kind.
    """

    kind: str
    call: Call
    inputs: tuple
    shape: tuple
    window: Window | None = None
    facts: dict = field(default_factory=dict)


def describe(node, call, inputs, shape):
    """The `Operation` that a node of the graph stands for."""
    kind = type(node).__name__
    window, facts = None, {}
    if kind in ("Conv2d", "DepthwiseConv2d"):
        window = _window(node.shapes[1][2:], **node.geometry)
        facts = {"groups": node.shapes[0][1] // node.shapes[1][1]}
    elif kind in ("MaxPool2d", "AvgPool2d"):
        window = _window(**node.geometry)
    elif kind == "Concatenate":
        facts = {"axis": node.axis}
    elif kind == "ScaledAdd":
        facts = {"scale": node.scale}
    elif kind == "Multiply" and len(inputs) == 1:
        factor = node.saved.a if node.saved.b is None else node.saved.b
        facts = {"scale": factor.item()} if factor is not None and factor.size == 1 else {}
    return Operation(kind, call, inputs, shape, window, facts)


def _window(kernel_size, stride=1, padding=0, dilation=1, **not_of_the_window):
    kernel_size, dilation = (pair("trace", "window", value, minimum=1) for value in (kernel_size, dilation))
    stride = kernel_size if stride is None else pair("trace", "stride", stride, minimum=1)
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel_size, dilation, strict=True))
    else:
        padding = (0, 0) if padding == "valid" else pair("trace", "padding", padding, minimum=0)
    return Window(kernel_size, stride, padding, dilation)
