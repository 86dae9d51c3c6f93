"""Weights of keras.applications: InceptionV3, InceptionResNetV2 and Xception, for the networks here.

Keras's layouts differ from torch's: convolution kernels are (H, W, in, out), depthwise ones (H, W, in, 1), dense ones
(in, out); batch norms without a scale have weight one here. So do some details of the networks (`KERAS_OPTIONS`):
batch norms have eps 1e-3, Inception v3's average pools do not count padding, Xception's max pools pad as TensorFlow's
SAME. And all three expect channels from -1 to 1 (`KERAS_PREPROCESSING`), mode "tf" of Keras's `preprocess_input`.
"""

import numpy as np

from .. import nn
from ..models.inception_resnet_blocks import ResidualBlock
from ..models.inception_resnet_v2 import InceptionResNetV2
from ..models.inception_v3 import InceptionV3
from ..models.preprocessing import HALVES, Preprocessing
from ..models.xception import Block, SamePool, SeparableConv, Xception
from ..nn.state import named_state
from .errors import FormatError, WeightsError
from .keras_file import opened
from .keras_match import match
from .keras_names import CONVOLUTION, NORM, SEPARABLE, layers_as_built

# How a network is built for Keras's weights.
KERAS_OPTIONS = {
    "inception_resnet_v2": {},
    "inception_v3": {"aux_logits": False, "count_include_pad": False},
    "xception": {"eps": 1e-3, "same_pooling": True},
}
# The square is 7/8 of the shorter side, as in TF-slim's evaluation; Keras itself says only how channels are scaled.
KERAS_PREPROCESSING = {name: Preprocessing(342, 299, HALVES, HALVES) for name in KERAS_OPTIONS}

CLASSES = {"inception_resnet_v2": InceptionResNetV2, "inception_v3": InceptionV3, "xception": Xception}
EPS = 1e-3


def read_keras(path, model, head=True):
    """Read a file of keras.applications' weights: dict from the names of `model.state_dict()` to NumPy arrays.

    path: a legacy `.h5` (whole model or weights alone), a `.keras` or a `.weights.h5` file; the network may also stand
    inside a Keras model with another dense layer at its end. model: an `inception_v3`, `inception_resnet_v2` or
    `xception` built with `KERAS_OPTIONS`. The arrays have torch's shapes, which are the model's except for the number
    of classes. Names that the file has no values for are left out: those of the head if it was saved with
    include_top=False, or with `head=False`, which ignores all dense layers; and `num_batches_tracked`.

    Raises WeightsError, which names the file, if it cannot be read, holds another network, or the model is another or
    was built with other options. Needs h5py. HDF5 keeps no checksums: flipped bits within the numbers show only in a
    `.keras` file, whose zip does.
    """
    try:
        network = _network(model)
        shapes = {name: tensor.shape for name, tensor, _ in named_state(model)}
        limit = (1 << 26) + 16 * sum(4 * int(np.prod(shape)) for shape in shapes.values())  # with optimizer, float64
        with opened(path, limit) as stored_layers:
            arrays = {}
            for layer, stored in match(network, stored_layers, head).items():
                arrays |= _converted(layer, stored, shapes)
    except FormatError as error:
        message = "".join(letter if letter.isprintable() else "?" for letter in str(error))
        raise WeightsError(f"{path}: {message[:2000]}") from error
    return {name: arrays[name] for name in shapes if name in arrays}


# ----------------------------------------------------------------------------------------------- the model


def _network(model):
    """The name of the network that `model` is; FormatError unless Keras's weights suit it."""
    network = next((name for name, kind in CLASSES.items() if isinstance(model, kind)), None)
    if network is None:
        raise FormatError(f"Keras has weights of {', '.join(CLASSES)}, the model is {type(model).__name__}")
    if not _suits(network, model):
        options = ", ".join(f"{name}={value!r}" for name, value in KERAS_OPTIONS[network].items())
        raise FormatError(
            f"Keras's weights need {network}({options}), with the other options that change what it computes as they "
            "are by default"
        )
    return network


def _suits(network, model):
    """Whether `model` computes what Keras's network of this name does."""
    keys = {name for name, _ in model.named_parameters()}
    modules = list(model.modules())
    return (
        all(_weight(layer) in keys for layer in layers_as_built(network))
        and all(module.eps == EPS for module in modules if isinstance(module, nn.BatchNorm2d))
        and OWN_OPTIONS[network](model, modules)
    )


def _suits_inception_resnet_v2(model, modules):
    scales = [module.scale for module in modules if isinstance(module, ResidualBlock)]
    return scales == 10 * [0.17] + 20 * [0.10] + 9 * [0.20] + [1.0]


def _suits_inception_v3(model, modules):
    counts_padding = any(module.count_include_pad for module in modules if isinstance(module, nn.AvgPool2d))
    return not (model.aux_logits or model.transform_input or counts_padding)


def _suits_xception(model, modules):
    separable = [module for module in modules if isinstance(module, SeparableConv)]
    pools = [module for module in modules if isinstance(module, (nn.MaxPool2d, SamePool))]
    return (
        all(isinstance(pool, SamePool) for pool in pools)
        and all(isinstance(module.between, nn.Identity) and not module.pointwise_first for module in separable)
        and all(module.residual for module in modules if isinstance(module, Block))
    )


OWN_OPTIONS = {
    "inception_resnet_v2": _suits_inception_resnet_v2,
    "inception_v3": _suits_inception_v3,
    "xception": _suits_xception,
}


def _weight(layer):
    """The name of a layer's first weight here."""
    return f"{layer.module}.conv1.weight" if layer.kind == SEPARABLE else f"{layer.module}.weight"


# -------------------------------------------------------------------------------------------------- arrays


def _converted(layer, stored, shapes):
    """Dict name -> array of one layer, in torch's shapes. `shapes`: those of the model, by name."""
    module = layer.module
    weight = shapes[_weight(layer)]
    if layer.kind == CONVOLUTION:
        has_bias = f"{module}.bias" in shapes
        _check_count(stored, 1 + has_bias)
        arrays = {"weight": _read_kernel(stored, weight, 0)}
        if has_bias:
            arrays["bias"] = stored.read(weight[:1], 1)
    elif layer.kind == SEPARABLE:
        _check_count(stored, 2)
        channels, _, height, width = weight
        depthwise = stored.read((height, width, channels, 1), 0)
        pointwise = _read_kernel(stored, shapes[f"{module}.pointwise.weight"], 1)
        arrays = {"conv1.weight": depthwise.transpose(2, 3, 0, 1), "pointwise.weight": pointwise}
    elif layer.kind == NORM:
        names = ["weight", "bias", "running_mean", "running_var"][-len(stored.datasets) :]
        arrays = {name: stored.read(weight, index) for index, name in enumerate(names)}
        if "weight" not in arrays:  # scale=False
            arrays["weight"] = np.ones_like(arrays["bias"])
    else:
        kernel = stored.read((weight[1], None), 0)
        arrays = {"weight": kernel.T, "bias": stored.read(kernel.shape[1:], 1)}
    return {f"{module}.{name}": np.ascontiguousarray(array) for name, array in arrays.items()}


def _read_kernel(stored, shape, index):
    """A kernel whose torch shape is `shape` (out, in, H, W); in the file it is (H, W, in, out)."""
    return stored.read((shape[2], shape[3], shape[1], shape[0]), index).transpose(3, 2, 0, 1)


def _check_count(stored, count):
    if len(stored.datasets) != count:
        raise FormatError(f"{stored.place} holds {len(stored.datasets)} arrays, expected {count}")
