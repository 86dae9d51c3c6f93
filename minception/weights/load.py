"""Loading the weights of a file into a model, and saving them."""

from .. import checkpoint
from ..nn import Module
from ..nn.state import IncompatibleKeys
from .errors import WeightsError
from .fit import fit
from .read import read


def load_weights(model, path, head=None):
    """Copy the weights in the file `path` into `model`, whatever the file's format, which is found by its content:

    - safetensors: anybody's, and minception's own weights and checkpoints;
    - PyTorch's .pth and .pt, the zip format and the one before it, read without PyTorch and without unpickling;
    - Keras's .h5 and .keras.

    In a PyTorch file the state_dict may be nested, as {"state_dict": ...}, {"model": ...} or in the only entry that
    holds tensors. What stands beside it is ignored: numbers, text, None, an optimizer's state, an argparse.Namespace.

    What published files do differently is put right:

    - every name begins with "module." (torch.nn.DataParallel): removed;
    - the last layer has another usual name (fc, last_linear, classif, classifier, logits, head.fc): renamed;
    - 1001 rows in the last layer of a model with 1000 classes: row 0, the background, is left out;
    - batch-norm tensors of shape (1, C), and weights of 1x1 convolutions and linear layers in each other's shape;
    - auxiliary heads that the model was built without (aux_logits=False): ignored;
    - no num_batches_tracked: the model keeps its own.

    head: None, or "new" for other classes than the file's: the layers that give the logits (`head_names`), the
    auxiliary heads' too, keep the values that they have, and all else is loaded. `freeze` then helps to train them.

    Returns what `Module.load_state_dict` returns: `missing_keys`, which the model kept, and `unexpected_keys`, which
    the file has and were ignored.

    Raises WeightsError, which names the file, if it cannot be read (as `read_weights`), or does not fit the model:
    then it lists all names that are missing, unexpected or of another shape, and nothing is changed. Raises TypeError
    for a model that is no Module or a path that is none, ValueError for another `head`.
    """
    if not isinstance(model, Module):
        raise TypeError(f"load_weights: model must be a Module, got {type(model).__name__}")
    if head not in (None, "new"):
        raise ValueError(f'load_weights: head must be None or "new", got {head!r}')
    new_head = head == "new"
    found = fit(read("load_weights", path, model, not new_head), model, new_head)
    if found.problems:
        lines = "\n\t".join(found.problems)
        raise WeightsError(f"{path}: does not fit the model {type(model).__name__}:\n\t{lines}")
    kept = model.load_state_dict(found.values, strict=False).missing_keys
    return IncompatibleKeys(kept, found.ignored)


def save_weights(model, path):
    """Write the parameters and buffers of `model` to the file `path`, in the safetensors format, under their names.

    `safetensors.torch.load_file` gives what a torch module of the same architecture loads. The file is replaced in
    one step: whoever reads it sees the old one or the new. Raises TypeError for a model that is no Module, OSError if
    the file cannot be written.
    """
    if not isinstance(model, Module):
        raise TypeError(f"save_weights: model must be a Module, got {type(model).__name__}")
    checkpoint.save_weights(path, model.state_dict())
