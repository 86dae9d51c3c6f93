"""From the operations of a network to the boxes and arrows that a paper would draw.

A convolution with the batch norm and the activation after it is one box; so are a depthwise convolution and the 1x1
convolution after it. A module of several boxes gets a frame. What only changes the shape of an array is not drawn.
"""

from collections import Counter
from dataclasses import dataclass, field

from .operations import IMAGE, Call, Operation
from .parts import Parts
from .table import size_text

CONVOLUTION, POOLING, NORMALIZATION, ACTIVATION = "convolution", "pooling", "normalization", "activation"
JOIN, LINEAR, OTHER, INPUT = "join", "linear", "other", "input"

TIMES, DIVIDED = "\N{MULTIPLICATION SIGN}", "\N{DIVISION SIGN}"
CONVOLUTIONS = {"Conv2d": "conv", "DepthwiseConv2d": "depthwise conv"}
POOLS = {"MaxPool2d": "max pool", "AvgPool2d": "average pool"}
NAMES = {
    "BatchNormTrain": (NORMALIZATION, "batch norm"),
    "BatchNormEval": (NORMALIZATION, "batch norm"),
    "BatchNormReLUTrain": (NORMALIZATION, "batch norm, ReLU"),
    "BatchNormReLUEval": (NORMALIZATION, "batch norm, ReLU"),
    "LocalResponseNorm": (NORMALIZATION, "local response norm"),
    "ReLU": (ACTIVATION, "ReLU"),
    "ELU": (ACTIVATION, "ELU"),
    "Tanh": (ACTIVATION, "tanh"),
    "Sigmoid": (ACTIVATION, "sigmoid"),
    "Softmax": (ACTIVATION, "softmax"),
    "LogSoftmax": (ACTIVATION, "log softmax"),
    "Dropout": (OTHER, "dropout"),
    "GlobalAvgPool2d": (POOLING, "global average pool"),
    "Add": (JOIN, "+"),
    "ScaledAdd": (JOIN, "+"),
    "Subtract": (JOIN, "-"),
    "Multiply": (JOIN, TIMES),
    "Divide": (JOIN, DIVIDED),
}
# What a box of the kinds HOSTS takes in if nothing else reads what comes before.
NOTES = {
    "BatchNormTrain": "BN",
    "BatchNormEval": "BN",
    "BatchNormReLUTrain": "BN, ReLU",
    "BatchNormReLUEval": "BN, ReLU",
    "ReLU": "ReLU",
    "ELU": "ELU",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Multiply": "scaled",
    "Divide": "scaled",
    "Add": "shifted",
    "Subtract": "shifted",
}
HOSTS = (CONVOLUTION, LINEAR, JOIN, NORMALIZATION, INPUT)
SILENT = ("Reshape", "Clone", "Cast", "Permute", "Expand")


@dataclass(eq=False)
class Box:
    """One box. inputs: the boxes that it reads, in order. shape: of its output, for one image.

    operation: the first of those that it stands for, None for the image. part: what it belongs to, if that is framed: a
    run of a module, or the name of a group of layers. notes: what follows in the same box.
    """

    kind: str
    label: str
    shape: tuple
    operation: Operation | None = None
    part: Call | str | None = None
    inputs: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def path(self):
        """Of the module in which it begins."""
        return "" if self.operation is None else self.operation.call.path

    @property
    def joins_channels(self):
        """Whether it is a concatenation."""
        return self.operation is not None and self.operation.kind == "Concatenate"


@dataclass(eq=False)
class Frame:
    """A module of several boxes. They read one box outside, `source`, and one of them, `exit`, is read outside."""

    title: str
    boxes: list
    source: Box
    exit: Box


@dataclass(frozen=True)
class Diagram:
    """Boxes, the image first and every other after its inputs; frames around some; the boxes that are outputs."""

    boxes: list
    frames: list
    outputs: list


def diagram_of(model, recorded):
    """The `Diagram` of a model from its `Trace`, with frames around what `Parts` shows as a whole."""
    parts = _parts_of_operations(recorded, Parts(model, recorded))
    boxes_in = Counter(box.part for box in _draw_boxes(recorded, parts)[0])
    parts = [part if boxes_in[part] > 1 else None for part in parts]  # what is one box gets no frame
    boxes, owners = _draw_boxes(recorded, parts)
    outputs = [owners[number] for number in recorded.outputs]
    boxes = _merge_concatenations(boxes, outputs)
    return Diagram(boxes, _draw_frames(boxes, outputs), outputs)


def _draw_boxes(recorded, parts):
    """(boxes, dict from the number of each operation to its box); `parts` has the `Box.part` of each operation."""
    readers = dict.fromkeys(range(IMAGE, len(recorded.operations)), 0)
    for number in (*recorded.outputs, *(i for operation in recorded.operations for i in operation.inputs)):
        readers[number] += 1
    image = Box(INPUT, "image", recorded.image_shape[1:], notes=[size_text(recorded.image_shape[1:])])
    boxes, owners = [image], {IMAGE: image}
    for number, operation in enumerate(recorded.operations):
        before, part = owners[operation.inputs[0]], parts[number]
        in_a_chain = len(operation.inputs) == 1 and readers[operation.inputs[0]] == 1 and before.part == part
        if operation.kind in SILENT:
            owners[number] = before
        elif in_a_chain and before.kind in HOSTS and operation.kind in NOTES:
            before.notes.append(_note(operation))
            owners[number] = before
        elif in_a_chain and _ends_separable(before, operation):
            before.label = _windowed("separable conv", before.operation.window, operation.shape[1])
            before.shape = operation.shape[1:]
            owners[number] = before
        else:
            kind, label = _name(operation)
            inputs = [owners[i] for i in operation.inputs]
            owners[number] = Box(kind, label, operation.shape[1:], operation, part, inputs)
            if operation.facts.get("scale", 1) != 1:
                owners[number].notes.append(f"scale {operation.facts['scale']:g}")
            boxes.append(owners[number])
    return boxes, owners


def _parts_of_operations(recorded, parts):
    """The `Box.part` of each operation, framed or not."""
    names = [parts.part_of_operation(number) for number in range(len(recorded.operations))]
    return [
        operation.call.above(name) or name for operation, name in zip(recorded.operations, names, strict=True)
    ]


def _ends_separable(before, operation):
    """Whether an operation is the 1x1 convolution of a separable one whose depthwise half is the box before."""
    return (
        before.operation is not None
        and before.operation.kind == "DepthwiseConv2d"
        and not before.notes
        and operation.kind == "Conv2d"
        and operation.window.kernel_size == operation.window.stride == (1, 1)
        and operation.facts["groups"] == 1
        and "separable" not in before.label
    )


def _note(operation):
    scale = operation.facts.get("scale")
    return NOTES[operation.kind] if scale is None else f"{TIMES} {scale:g}"


def _name(operation):
    """(kind, label) of the box of an operation."""
    kind, shape = operation.kind, operation.shape
    if kind in CONVOLUTIONS:
        label = _windowed(CONVOLUTIONS[kind], operation.window, shape[1])
        groups = operation.facts["groups"]
        return CONVOLUTION, label + (f", {groups} groups" if kind == "Conv2d" and groups > 1 else "")
    if kind in POOLS:
        return POOLING, _windowed(POOLS[kind], operation.window)
    if kind == "AdaptiveAvgPool2d":
        is_global = shape[2:] == (1, 1)
        return POOLING, "global average pool" if is_global else f"average pool to {_by(shape[2:])}"
    if kind == "Concatenate":
        what = "filter concat" if len(shape) == 4 and operation.facts["axis"] == 1 else "concat"
        return JOIN, f"{what}, {shape[1]}"
    if kind == "Linear":
        return LINEAR, f"linear, {shape[-1]}"
    return NAMES.get(kind, (OTHER, kind.lower()))


def _windowed(what, window, channels=None):
    """ "3x3 conv, 64, /2" """
    words = [f"{_by(window.kernel_size)} {what}"]
    if channels is not None:
        words.append(str(channels))
    if window.dilation != (1, 1):
        words.append(f"dilated {_by(window.dilation, one_if_equal=True)}")
    if window.stride != (1, 1):
        words.append(f"/{_by(window.stride, one_if_equal=True)}")
    return ", ".join(words)


def _by(pair, one_if_equal=False):
    return str(pair[0]) if one_if_equal and pair[0] == pair[1] else "x".join(map(str, pair))


def _readers(boxes):
    """Dict from each box to those that read it."""
    readers = {box: [] for box in boxes}
    for box in boxes:
        for source in dict.fromkeys(box.inputs):
            readers[source].append(box)
    return readers


def _merge_concatenations(boxes, outputs):
    """The boxes, those concatenations left out whose channels are concatenated again and used nowhere else."""
    readers = _readers(boxes)
    kept = []
    for box in boxes:
        reader = readers[box][0] if len(readers[box]) == 1 and box not in outputs else None
        if reader is not None and _is_concatenated_again(box, reader):
            place = reader.inputs.index(box)
            reader.inputs[place : place + 1] = box.inputs
        else:
            kept.append(box)
    return kept


def _is_concatenated_again(box, reader):
    return (
        box.joins_channels
        and reader.joins_channels
        and reader.operation.facts == box.operation.facts
        and reader.part == box.part
        and reader.inputs.count(box) == 1
        and not box.notes
    )


def _draw_frames(boxes, outputs):
    """Frames around the modules of several boxes that have one way in and one way out."""
    readers = _readers(boxes)
    place = {box: index for index, box in enumerate(boxes)}
    members = {}
    for box in boxes:
        if box.part is not None:
            members.setdefault(box.part, []).append(box)
    frames = []
    for part, inside in members.items():
        sources = {source for box in inside for source in box.inputs if source.part != part}
        exits = [box for box in inside if box in outputs or any(reader.part != part for reader in readers[box])]
        if len(inside) > 1 and len(sources) == len(exits) == 1:
            (source,) = sources
            if place[source] < place[inside[0]]:  # else a way leads out of the module and back into it
                title = part.path or type(part.module).__name__ if isinstance(part, Call) else part
                frames.append(Frame(title, inside, source, exits[0]))
    return frames
