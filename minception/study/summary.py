"""What each module of a network costs: parameters, multiply-accumulates, memory in training; and how far it sees."""

import re
from dataclasses import asdict, dataclass

from ..models.count import has_weights_to_multiply, multiply_accumulates
from .operations import IMAGE
from .parts import Parts
from .receptive_field import WHOLE_IMAGE, field_size, receptive_fields
from .table import as_table
from .trace import checked_size, evaluation_calls, trace

# The others' names follow from those of their classes.
FUNCTIONS = {"ReLU": "relu", "BatchNormTrain": "batch_norm", "BatchNormReLUTrain": "batch_norm_relu"}


@dataclass(frozen=True)
class Row:
    """One module with all below it, or one operation that a divided module does itself, outside its children.

    name: the module's dotted path; of an operation the path of the module that does it, and its name in brackets; of
    layers that form a group (see `Parts`) what their names have in common, and "layers" is the type.
    output_shape: for one image, None if the module never ran. parameters: those that no other row has.
    multiply_accumulates: for one image in evaluation, as `models.count_multiply_accumulates` counts.
    activation_bytes: what it keeps for backward in training, see `Summary`. receptive_field: (height, width) in
    pixels of the image that one value of the output depends on, "whole image", or None if the module never ran.
    auxiliary: whether it runs in training only. A module that runs several times has a row for each; its parameters are
    in the first.
    """

    name: str
    type: str
    output_shape: tuple | None = None
    parameters: int = 0
    multiply_accumulates: int = 0
    activation_bytes: int = 0
    receptive_field: tuple | str | None = None
    auxiliary: bool = False


@dataclass(frozen=True)
class Summary:
    """The rows of a network, in the order in which they first run, and their totals.

    Every parameter, multiply-accumulate and byte is in exactly one row. activation_bytes is measured: the memory of the
    arrays that a recorded forward pass in training mode keeps for backward, each counted once, in the row that first
    keeps it; parameters and the images themselves are not counted. It is for `batch_size` images, found from a pass of
    two by telling apart what grows with the batch. last_layer and receptive_field are those of the last values that
    still have a place in the image, before global pooling or the first linear layer; None if there are none.
    """

    model: str
    input_size: tuple
    in_channels: int
    batch_size: int
    rows: tuple
    parameters: int
    auxiliary_parameters: int
    multiply_accumulates: int
    activation_bytes: int
    last_layer: str | None
    receptive_field: tuple | None

    def to_dict(self):
        """The summary as a dictionary of plain values."""
        return asdict(self)

    def __str__(self):
        return as_table(self)


def summarize(model, input_size, in_channels=3, batch_size=1, depth=None):
    """Run a module on images and return its `Summary`.

    input_size: height and width in pixels, an integer or a pair. batch_size: of the activation memory. depth: how many
    levels of modules below `model` have rows of their own; None divides the model into its children and every
    Sequential, ModuleList or ModuleDict among them into its own, so that an Inception module is one row.

    Modes, batch statistics and random state stay as they are. Raises TypeError for what is no module, ValueError for
    numbers below 1, and whatever the model says of images that it cannot take.
    """
    depth_or_one = 1 if depth is None else depth
    input_size = checked_size(
        "summarize", model, input_size, in_channels=in_channels, batch_size=batch_size, depth=depth_or_one
    )
    recorded = trace(model, input_size, in_channels)
    return summary_of(model, recorded, evaluation_calls(model, input_size, in_channels), batch_size, depth)


def summary_of(model, recorded, evaluated, batch_size=1, depth=None):
    """The `Summary` of a model from its `Trace` and its `evaluation_calls`."""
    table = _Table(model, recorded, depth)
    training_only = {call.path for call in recorded.calls} - {call.path for call in evaluated}
    auxiliary_parameters = 0
    for name, parameter in model.named_parameters():
        path = name.rpartition(".")[0]
        table.add((table.parts.part_of(path) or path, 0), "parameters", parameter.numel())
        auxiliary_parameters += parameter.numel() if path in training_only else 0
    for call in evaluated:
        if has_weights_to_multiply(call.module):
            table.add(table.key(call), "multiply_accumulates", multiply_accumulates(call.module, call.shape))
    for saved in recorded.saved:
        key = table.key(saved.call, saved.operation)
        table.add(key, "activation_bytes", saved.per_image * batch_size + saved.fixed)
    for key, row in table.rows.items():
        row["auxiliary"] = key[0] in training_only
    rows = tuple(Row(**row) for row in table.rows.values())
    last_layer, field = _last_place(recorded, table.fields, table.parts)
    return Summary(
        type(model).__name__,
        recorded.image_shape[2:],
        recorded.image_shape[1],
        batch_size,
        rows,
        sum(row.parameters for row in rows),
        auxiliary_parameters,
        sum(row.multiply_accumulates for row in rows),
        sum(row.activation_bytes for row in rows),
        last_layer,
        field,
    )


class _Table:
    """The rows as they grow. Keys: (name of a part, which run of it), or (None, number of an operation)."""

    def __init__(self, model, recorded, depth):
        self.types = {path: type(module).__name__ for path, module in model.named_modules()}
        self.parts = Parts(model, recorded, depth)
        self.fields = receptive_fields(recorded)
        self.rows = {}
        events = [(call.start, 0, call) for call in recorded.calls]
        events += [(number, 1, operation) for number, operation in enumerate(recorded.operations)]
        for number, is_operation, event in sorted(events, key=lambda event: event[:2]):
            if is_operation:
                self._add_operation(number, event)
            else:
                self._add_call(event)

    def key(self, call, operation=None):
        """That of the row in which a run of a module belongs, or an operation in it."""
        part = self.parts.part_of(call.path) if operation is None else self.parts.part_of_operation(operation)
        if part is None:
            return (call.path, 0) if operation is None else (None, operation)
        run = call.above(part)
        return part, 0 if run is None else run.repetition

    def _add_call(self, call):
        part = self.parts.part_of(call.path)
        has_parameters = next(call.module.parameters(recurse=False), None) is not None
        if part == call.path or (part is None and has_parameters):
            field = None if call.output is None else field_size(self.fields[call.output])
            self._row(self.key(call)).update(output_shape=call.shape[1:], receptive_field=field)

    def _add_operation(self, number, operation):
        key = self.key(operation.call, number)
        if key[0] is None or key[0] not in self.types:  # a group's output is that of its last operation
            row = self._row(key)
            row.update(output_shape=operation.shape[1:], receptive_field=field_size(self.fields[number]))

    def _row(self, key):
        name, number = key
        if name is None:
            new = {"name": operation_name(self.parts.recorded.operations[number]), "type": "function"}
        else:
            kind = self.types.get(name, "layers")
            new = {"name": name or kind, "type": kind}
        return self.rows.setdefault(key, new)

    def add(self, key, column, amount):
        """Add to what a row has."""
        if amount:
            row = self._row(key)
            row[column] = row.get(column, 0) + amount


def operation_name(operation):
    """The path of the module that does an operation, and the name in `minception.functional`: "(max_pool2d)"."""
    kind = operation.kind
    function = FUNCTIONS.get(kind) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    return f"{operation.call.path} ({function})".lstrip()


def _last_place(recorded, fields, parts):
    """(name, (height, width)) of the last layer on the way to the logits whose values have a place in the image."""
    way = recorded.ancestors(recorded.outputs[0]) if recorded.outputs else []
    placed = [n for n in way if len(recorded.shape(n)) == 4 and fields[n] != WHOLE_IMAGE]
    if not placed:
        return None, None
    number = placed[-1]
    operation = recorded.operations[number]
    while operation.window is None and len(operation.inputs) == 1 and operation.inputs[0] != IMAGE:
        (number,) = operation.inputs  # activations and the like see no further than this
        operation = recorded.operations[number]
    part = parts.part_of_operation(number)
    return operation_name(operation) if part is None else part, field_size(fields[placed[-1]])
