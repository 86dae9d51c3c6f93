"""Making the arrays of a file and the state of a model meet, where published files differ harmlessly."""

from typing import NamedTuple

from ..nn.state import named_state
from .errors import plain, shown
from .head import head_names, is_auxiliary
from .nested import PREFIX, without_prefix

CLASSIFIERS = ("fc", "last_linear", "classif", "classifier", "logits", "head.fc", "head")  # of published files
BACKGROUND = ((1001,), (1000,))  # rows of TensorFlow's classifiers, whose row 0 is no class; classes of ImageNet
SHOWN = 20  # names of one kind in an error message


class Fit(NamedTuple):
    """What `fit` found."""

    values: dict  # name -> array, for the model
    ignored: list  # names in the file that are not used
    problems: list  # texts that say why the file does not fit, if it does not


def fit(weights, model, new_head):
    """Match `weights` (dict name -> array) with the parameters and buffers of `model`; return a `Fit`.

    With `new_head`, what the file has for the layers that give the logits is left out.
    """
    wanted = {name: tensor.shape for name, tensor, _ in named_state(model)}
    required = [name for name, _, optional in named_state(model) if not optional]
    heads = _heads(model)
    values = dict(weights)
    if not any(name.startswith(PREFIX) for name in wanted):
        values = without_prefix(values)
    ignored = _drop_auxiliary(values, wanted)
    if heads:
        values = _with_renamed_classifier(values, wanted, heads[0])
    of_heads = {name for name in wanted if any(name.startswith(f"{head}.") for head in heads)}
    if new_head:
        dropped = [name for name in values if name in of_heads]
        ignored += dropped
        values = {name: array for name, array in values.items() if name not in of_heads}
    values = {
        name: _reshaped(array, wanted[name], name in of_heads) if name in wanted else array
        for name, array in values.items()
    }
    missing = [name for name in required if name not in values and not (new_head and name in of_heads)]
    unexpected = sorted(name for name in values if name not in wanted)
    misshapen = [name for name in values if name in wanted and values[name].shape != wanted[name]]
    shapes = [f"{name} is {shown(values[name].shape)}, not {wanted[name]}" for name in misshapen]
    problems = [
        *_listed("missing in the file", missing),
        *_listed("unexpected in the file", map(plain, unexpected)),
        *_listed("of another shape", shapes),
    ]
    if problems:
        problems += _advice(values, wanted, missing, misshapen, heads)
    return Fit(values, ignored, problems)


def _heads(model):
    try:
        return head_names(model)
    except ValueError:  # a network without a classifier
        return []


def _drop_auxiliary(values, wanted):
    """Remove the auxiliary heads that the model was built without; return their names."""
    children = {name.partition(".")[0] for name in wanted}
    dropped = [name for name in values if is_auxiliary(name) and name.partition(".")[0] not in children]
    for name in dropped:
        del values[name]
    return dropped


def _with_renamed_classifier(values, wanted, head):
    """`values` with the model's name of the last layer, where the file has another of the usual ones."""
    if f"{head}.weight" in values:
        return values
    others = [name for name in CLASSIFIERS if f"{name}.weight" in values and f"{name}.weight" not in wanted]
    if len(others) != 1:
        return values
    old = f"{others[0]}."
    return {
        f"{head}.{name.removeprefix(old)}" if name.startswith(old) else name: array for name, array in values.items()
    }


def _reshaped(array, shape, of_head):
    """`array` in the model's shape, if it differs from it in one of the ways of published files."""
    if of_head and (array.shape[:1], shape[:1]) == BACKGROUND and array.shape[1:] == shape[1:]:
        return array[1:]
    batch_norm = len(shape) == 1 and array.shape == (1, *shape)  # some files of Inception v2
    pointwise = array.ndim == 2 and shape == (*array.shape, 1, 1)  # some files of Xception; 1x1 convolution ...
    linear = len(shape) == 2 and array.shape == (*shape, 1, 1)  # ... and linear layer are the same thing
    count = shape == () and array.shape == (1,)  # num_batches_tracked
    return array.reshape(shape) if batch_norm or pointwise or linear or count else array


def _listed(what, lines):
    lines = list(lines)
    if not lines:
        return []
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ["\n\t\t".join([f"{what} ({len(lines)}):", *lines[:SHOWN], *more])]


def _advice(values, wanted, missing, misshapen, heads):
    """What to do about it, in lines."""
    auxiliary = sorted({name.partition(".")[0] for name in missing if is_auxiliary(name)})
    if auxiliary and not any(is_auxiliary(name) for name in values):
        yield f"the file has no auxiliary heads ({', '.join(auxiliary)}): build the model with aux_logits=False"
    weight = f"{heads[0]}.weight" if heads else None
    if weight in missing and all(name.startswith(f"{heads[0]}.") for name in missing):
        yield f'the file has no last layer: load it with head="new", which leaves {heads[0]} of the model as it is'
    if weight in misshapen and values[weight].shape[1:] == wanted[weight][1:]:
        found, expected = values[weight].shape[0], wanted[weight][0]
        yield (
            f"the file is for {found} classes, the model for {expected}: build the model with num_classes={found}, or "
            f'load with head="new", which leaves {", ".join(heads)} of the model as it is'
        )
