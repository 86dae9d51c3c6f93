"""The kernel calls that are timed: every distinct shape of some networks, found by running them and looking on."""

import math
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np

TRACED_BATCH = 2  # images of the run that finds the shapes; the first axis is then set to the batch of the case
IN_CHANNELS = 3

CONVOLUTIONS = ("conv2d", "depthwise_conv2d")
POOLS = ("max_pool2d", "avg_pool2d", "global_avg_pool2d")
OTHERS = ("batch_norm_relu", "relu", "add", "concatenate", "softmax_cross_entropy")
UPDATES = ("sgd", "adam")
DIRECTIONS = {
    **dict.fromkeys(CONVOLUTIONS, ("forward", "input gradient", "weight gradient")),
    **dict.fromkeys((*POOLS, "relu", "local_response_norm", "softmax_cross_entropy"), ("forward", "backward")),
    "batch_norm_relu": ("forward", "backward", "evaluation"),
    **dict.fromkeys(("add", "concatenate"), ("forward",)),
    **dict.fromkeys(UPDATES, ("update",)),
}
# What a kernel or an operation of autograd is called here, where that is not its own name.
KNOWN_AS = {
    "batch_norm_train": "batch_norm_relu",
    "batch_norm_relu_train": "batch_norm_relu",
    "Add": "add",
}
NEUTRAL = {"stride": "1x1", "padding": "0x0", "dilation": "1x1", "groups": "1", "ceil_mode": "False"}
KINDS = {"global_avg_pool2d": "avg pool", "avg_pool2d": "avg pool", "max_pool2d": "max pool"}


@dataclass(frozen=True)
class Case:
    """One call: an operation in one direction, at one shape.

    shapes: of the arrays that it is about: (x, weight) of convolutions, (x,) of most others, one for each array of a
    concatenation, or for each parameter of an update. options: sorted (name, value) pairs. count: how many such calls
    the network `source` makes in a training step.
    """

    operation: str
    direction: str
    kind: str
    shapes: tuple
    options: tuple
    source: str
    count: int

    @property
    def group(self):
        """What it is added up with: "conv 3x3, forward"."""
        return f"{self.kind}, {self.direction}"

    @property
    def name(self):
        """Unlike that of any other case; options that change nothing are left out."""
        if self.operation in UPDATES:
            what = f"{len(self.shapes)} arrays"
        else:
            what = " ".join("x".join(map(str, shape)) for shape in self.shapes)
        shown = [f"{name} {_text(value)}" for name, value in self.options if _text(value) != NEUTRAL.get(name)]
        return ", ".join([self.group, what, *shown, self.source])

    def to_dict(self):
        """Plain values, from which `from_dict` makes the case again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """The case that these values were made from, JSON's lists in place of tuples or not."""
        return cls(**{name: _as_tuples(value) for name, value in values.items()})


def _text(value):
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _as_tuples(value):
    return tuple(map(_as_tuples, value)) if isinstance(value, (list, tuple)) else value


def all_cases(sources):
    """The cases of networks, without those that another network had before.

    sources: (network, batch, image size, options, operations whose shapes are taken) of each network.
    """
    cases = {}
    for network, batch, size, options, operations in sources:
        for case in cases_of(network, batch, size, options, operations):
            cases.setdefault((case.operation, case.direction, case.shapes, case.options), case)
    return list(cases.values())


def cases_of(network, batch, size, options, operations):
    """The distinct cases of one network, whose training pass is run once on TRACED_BATCH images."""
    calls = _calls(network, size, options)
    source = f"{network} {size}"
    cases = []
    for (operation, shapes, settings), count in calls.items():
        if operation not in operations:
            continue
        if operation not in UPDATES:
            whole = (shapes[0],) if operation in CONVOLUTIONS else shapes
            shapes = (*((batch, *shape[1:]) for shape in whole), *shapes[len(whole) :])
        for direction in DIRECTIONS[operation]:
            if direction == "input gradient" and shapes[0][1] == IN_CHANNELS:
                continue  # nobody asks for the gradient of the images
            cases.append(
                Case(operation, direction, _kind(operation, shapes, settings), shapes, settings, source, count)
            )
    return cases


def _calls(network, size, options):
    """Counter of (operation, shapes, options) in a training pass, and the updates of its parameters."""
    import minception as mc
    from minception import models, nn
    from minception.kernels.dispatch import observe

    with nn.init.skip_init():
        model = models.create(network, num_classes=10, **options).train()
    images = mc.Tensor(np.zeros((TRACED_BATCH, IN_CHANNELS, size, size), np.float32))
    calls = Counter()

    def observer(subject, function, args, kwargs):
        name = subject if isinstance(subject, str) else type(subject).__name__
        call = _call(KNOWN_AS.get(name, name), args, kwargs)
        if call is not None:
            calls[call] += 1
        return function(*args, **kwargs)

    with mc.no_grad(), observe(observer):
        models.classification_loss(model(images), np.zeros(TRACED_BATCH, np.int64))
    for update in UPDATES:
        calls[update, tuple(p.shape for p in model.parameters()), ()] += 1
    return calls


def _call(operation, args, kwargs):
    """(operation, shapes, options) of a call, None if it is of no operation that is timed."""
    if operation in CONVOLUTIONS:
        x, weight, *_ = args
        options = {"groups": 1, **kwargs, **_window(kwargs, weight.shape[2:])}
        return operation, (x.shape, weight.shape), _frozen(options)
    if operation in ("max_pool2d", "avg_pool2d"):
        return operation, (args[0].shape,), _frozen({**kwargs, **_window(kwargs)})
    if operation == "concatenate":
        return operation, tuple(x.shape for x in args[0]), ()
    if operation == "add":
        same = len(args) == 2 and args[0].shape == args[1].shape and args[0].ndim == 4
        return (operation, (args[0].shape,), ()) if same else None
    if operation == "local_response_norm":
        return operation, (args[0].shape,), _frozen(dict(zip(("size", "alpha", "beta", "k"), args[1:], strict=True)))
    return (operation, (args[0].shape,), ()) if operation in DIRECTIONS and args[0].ndim > 1 else None


def _window(options, kernel=None):
    """Kernel size, stride, padding and dilation of a pool, or what a convolution has of these, as pairs."""
    pairs = {name: (value, value) if isinstance(value, int) else value for name, value in options.items()}
    window = {name: pairs[name] for name in ("kernel_size", "stride", "padding", "dilation") if name in pairs}
    if window.get("stride", 0) is None:
        window["stride"] = window["kernel_size"]
    if window.get("padding") == "valid":
        window["padding"] = (0, 0)
    elif window.get("padding") == "same":
        window["padding"] = tuple(d * (k - 1) // 2 for d, k in zip(window["dilation"], kernel, strict=True))
    return window


def _frozen(options):
    """Sorted pairs of the options that are given."""
    return tuple(sorted((name, _as_tuples(value)) for name, value in options.items() if value is not None))


def _kind(operation, shapes, settings):
    if operation not in CONVOLUTIONS:
        return KINDS.get(operation, operation.replace("_", " "))
    kernel = "x".join(map(str, shapes[1][2:]))
    strided = math.prod(dict(settings)["stride"]) > 1
    return f"{'conv' if operation == 'conv2d' else 'depthwise'} {kernel}{' strided' if strided else ''}"


def heaviest_cases(cases, groups=None):
    """Of each group (or of these `groups`) the case that its network has most, by count and size."""
    chosen = {}
    for case in cases:
        weight = case.count * sum(map(math.prod, case.shapes[:1]))
        if case.group not in chosen or weight > chosen[case.group][0]:
            chosen[case.group] = weight, case
    return [case for group, (_, case) in chosen.items() if groups is None or group in groups]
