"""A network with all that it takes to classify pictures, and how one is had from a file of weights."""

import inspect
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from minception import load_weights, models, nn
from minception.data import DownloadError
from minception.models.preprocessing import Preprocessing
from minception.train.build import build_model
from minception.train.config import ConfigError
from minception.train.errors import RunError
from minception.weights import head_names
from minception.weights.fit import BACKGROUND, CLASSIFIERS
from minception.weights.nested import PREFIX
from minception.weights.pretrained import PUBLISHED, download_weights
from minception.weights.read import HDF5_MAGIC, KERAS_MEMBERS, read

from .class_names import class_names_for
from .run_folder import find_run


@dataclass(frozen=True)
class Classifier:
    """A network, how its pictures are prepared, and what its classes are called.

    name: what messages call it. model: a Module that returns logits or log-probabilities (N, len(class_names)); it is
    put into evaluation mode.
    """

    name: str
    model: nn.Module
    preprocessing: Preprocessing
    class_names: tuple

    def __post_init__(self):
        if not isinstance(self.model, nn.Module):
            raise TypeError(f"Classifier: model must be a Module, got {type(self.model).__name__}")
        if not isinstance(self.preprocessing, Preprocessing):
            raise TypeError(f"Classifier: preprocessing must be a Preprocessing, got {self.preprocessing!r}")
        object.__setattr__(self, "class_names", tuple(self.class_names))
        self.model.eval()


def load_classifier(weights=None, model=None, *, class_names=None, preprocessing=None, **options):
    """Build a network, load its weights, and return both as a `Classifier`.

    weights: a file that `minception.load_weights` reads, or the folder of a training run, or its file of weights (see
    `find_run`); None fetches the network's published weights, once (`minception.weights.pretrained`). model: the name
    of the network, which a run knows itself. class_names: a sequence of strings; None means those of the run's data,
    or `class_names_for`. preprocessing: a `Preprocessing`; None means 32x32 pixels and the data's mean and deviation
    for a run, else that of the network's published weights (`models.entry`), or Keras's for a Keras file. options: of
    the network's constructor, for a file that is not of a run.

    The network gets as many classes as the file's last layer has rows, but 1000 for 1001, of which row 0 is the
    background; no auxiliary heads; for a Keras file, its `KERAS_OPTIONS`; otherwise, unless `preprocessing` is given,
    `transform_input` where it has that option, which is how torchvision's weights were trained.

    Raises CheckpointError or RunError, which name the file, for weights that cannot be read, fetched, or do not fit,
    and ConfigError for a network that is unknown or not the run's, for one without published weights where they are
    asked for, for one that nobody knows how to prepare pictures for, and for another number of names than of classes.
    """
    path = _fetched(model) if weights is None else Path(weights)
    run = find_run(path)
    if run is not None:
        if options:
            raise TypeError(f"load_classifier: a training run has its own options, got {', '.join(options)}")
        network = _network_of_run(run, path, model)
        return Classifier(
            str(path),
            network,
            preprocessing or run.preprocessing,
            _checked_names(path, class_names, run.class_names),
        )
    if model is None:
        raise ConfigError(f"{path}: which network are these weights of? Give its name with --model")
    _check_known(model, "--model")
    entry = models.entry(model)
    keras = _is_keras(path)
    accepted = inspect.signature(entry.constructor).parameters
    options.setdefault("in_channels", entry.in_channels)
    if "aux_logits" in accepted:
        options.setdefault("aux_logits", False)
    if keras:
        from minception.weights.keras import KERAS_OPTIONS, KERAS_PREPROCESSING

        options = {**KERAS_OPTIONS.get(model, {}), **options}
        preprocessing = preprocessing or KERAS_PREPROCESSING.get(model)
    elif "transform_input" in accepted and preprocessing is None:
        options.setdefault("transform_input", options["in_channels"] == 3)
    preprocessing = preprocessing or entry.preprocessing
    if preprocessing is None:
        raise ConfigError(f"{path}: {model} has no published weights; give the folder of a training run with --weights")
    network, classes = _network_for(entry, path, options)
    load_weights(network, path)
    return Classifier(str(path), network, preprocessing, _checked_names(path, class_names, class_names_for(classes)))


def _fetched(model):
    """The path of the network's published weights, fetched if need be."""
    if model is None:
        raise ConfigError("name a network: --model NAME, or --weights and the folder of a training run")
    _check_known(model, "--model")
    if model not in PUBLISHED:
        raise ConfigError(f"--model {model}: its weights cannot be fetched; give a file with --weights FILE")
    try:
        return download_weights(model)
    except DownloadError as error:
        url = PUBLISHED[model].url
        raise RunError(f"{error}\nFetch {url} on another machine and give the file with --weights.") from error


def _network_of_run(run, path, model):
    if model is not None and model != run.config.model:
        raise ConfigError(f"--model {model}: {path} is a run of {run.config.model}")
    _check_known(run.config.model, f"{path}: its model is")
    with nn.init.skip_init():
        network = build_model(replace(run.config, aux_logits=None), len(run.class_names))
    load_weights(network, run.weights)
    return network


def _network_for(entry, path, options):
    """The network for the weights in a file, not loaded yet, and its number of classes."""
    with nn.init.skip_init():
        network = entry.constructor(**{"num_classes": entry.num_classes, **options})
        if "num_classes" in options:
            return network, options["num_classes"]
        classes = _count_classes(network, path) or entry.num_classes
        if classes != entry.num_classes:
            network = entry.constructor(num_classes=classes, **options)
    return network, classes


def _count_classes(network, path):
    """How many classes the last layer in a file has; None if it has none that could be the network's."""
    head = head_names(network)[0]
    shape = dict(network.named_parameters())[f"{head}.weight"].shape
    arrays = read("load_classifier", path, network)
    for name in (head, *CLASSIFIERS):
        for prefix in ("", PREFIX):
            found = getattr(arrays.get(f"{prefix}{name}.weight"), "shape", ())
            if len(found) > 1 and found[0] > 0 and found[1] == shape[1]:
                background, classes = (rows for (rows,) in BACKGROUND)
                return classes if found[0] == background else found[0]
    return None


def _is_keras(path):
    """Whether a file is Keras's, legacy or `.keras`. Files that cannot be read are left to `load_weights`."""
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            if file.read(len(HDF5_MAGIC)) == HDF5_MAGIC:
                return True
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) >= KERAS_MEMBERS
    except Exception:  # zipfile lets out whatever its parsing runs into
        return False


def _check_known(model, what):
    if model not in models.names():
        raise ConfigError(f"{what} {model}: unknown; choose one of {', '.join(models.names())}")


def _checked_names(path, given, own):
    """The names `given`, or else the network's `own`."""
    if given is None:
        return own
    given = tuple(given)
    if len(given) != len(own):
        raise ConfigError(f"{path}: has {len(own)} classes, but there are names for {len(given)}")
    return given
