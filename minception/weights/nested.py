"""Finding the state_dict in what a training script saved."""

from .errors import FormatError, shown
from .torch_tensors import StoredTensor

# Entries that hold the weights, the likeliest first.
USUAL_NAMES = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
MAXIMUM_DEPTH = 4
PREFIX = "module."  # of torch.nn.DataParallel


def find_state_dict(value):
    """Return the dict name -> StoredTensor within `value`, the unpickled object of a file.

    It is `value` itself, or its entry of a usual name, or its only entry that holds tensors; such an entry may be
    nested likewise. Whatever else the dictionaries hold is ignored: numbers, text, None, options, an optimizer's
    state. Raises FormatError if there are no tensors by name, or several such entries.
    """
    for _ in range(MAXIMUM_DEPTH):
        if type(value) is not dict:
            known = {StoredTensor: "a single tensor", list: "a list", tuple: "a tuple", type(None): "nothing"}
            raise FormatError(f"holds {known.get(type(value), 'a single object')}, not a state_dict")
        inner = [name for name, entry in value.items() if type(entry) is dict and _holds_tensors(entry)]
        tensors = {name: entry for name, entry in value.items() if type(entry) is StoredTensor}
        usual = [name for name in USUAL_NAMES if name in inner]
        if usual:
            value = value[usual[0]]
        elif tensors:
            wrong = [name for name in tensors if type(name) is not str]
            if wrong:
                raise FormatError(f"holds tensors under names that are no text, as {shown(wrong[0])}")
            return tensors
        elif len(inner) == 1:
            value = value[inner[0]]
        elif inner:
            raise FormatError(f"holds several state_dicts, {_listed(inner)}; save one of them alone")
        else:
            found = f"only {_listed(value)}" if value else "nothing"
            raise FormatError(f"holds no tensors but {found}")
    raise FormatError("holds dictionaries too deeply nested to find a state_dict")


def without_prefix(weights):
    """`weights` without the "module." that torch.nn.DataParallel puts before every name."""
    if weights and all(name.startswith(PREFIX) for name in weights):
        return {name.removeprefix(PREFIX): array for name, array in weights.items()}
    return weights


def _holds_tensors(entry):
    """Whether a dictionary is a state_dict, or holds one directly under a usual name."""
    if any(type(value) is StoredTensor and type(name) is str for name, value in entry.items()):
        return True
    nested = [entry.get(name) for name in USUAL_NAMES]
    return any(type(n) is dict and any(type(value) is StoredTensor for value in n.values()) for n in nested)


def _listed(names):
    return ", ".join(shown(name) for name in list(names)[:6]) + (", ..." if len(names) > 6 else "")
