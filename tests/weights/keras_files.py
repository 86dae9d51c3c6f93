"""Files as Keras's versions write them, made with h5py of random numbers for a small network of ours."""

import zipfile
from dataclasses import dataclass

import numpy as np

from minception.weights.keras_names import (
    CONVOLUTION,
    DENSE,
    HEADS,
    NORM,
    SEPARABLE,
    KerasLayer,
    layers_as_built,
    layers_by_depth,
)


@dataclass(frozen=True)
class Style:
    """How a version of Keras names layers and arrays."""

    convolution: str
    norm: str
    first: int  # number of the first layer of a kind; 0 is not written
    array: str  # of the layer {0} and the role {1}
    roles: tuple = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")


STYLES = {
    "keras 1": Style(
        "convolution2d",
        "batchnormalization",
        1,
        "{0}_{1}:0",
        ("W", "b", "gamma", "beta", "running_mean", "running_std"),
    ),
    "keras 2": Style("conv2d", "batch_normalization", 1, "{0}/{1}:0"),
    "keras 2 after other models": Style("conv2d", "batch_normalization", 95, "{0}/{1}:0"),
    "tensorflow 1.13": Style("conv2d", "batch_normalization_v1", 0, "{0}/{1}:0"),
    "keras 3": Style("conv2d", "batch_normalization", 0, "{0}/{1}"),
}


def random_arrays(model, seed=0, dtype=np.float32):
    """Dict name -> random array for everything in the model's state_dict but num_batches_tracked."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(array.shape).astype(dtype)
        for name, array in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def keras_arrays(layer, arrays, scale=True):
    """The arrays of one layer in Keras's layout, by role."""
    prefix = f"{layer.module}."
    of = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    if layer.kind == CONVOLUTION:
        bias = {"bias": of["bias"]} if "bias" in of else {}
        return {"kernel": of["weight"].transpose(2, 3, 1, 0), **bias}
    if layer.kind == SEPARABLE:
        return {
            "depthwise_kernel": of["conv1.weight"].transpose(2, 3, 0, 1),
            "pointwise_kernel": of["pointwise.weight"].transpose(2, 3, 1, 0),
        }
    if layer.kind == NORM:
        gamma = {"gamma": of["weight"]} if scale else {}
        statistics = {"moving_mean": of["running_mean"], "moving_variance": of["running_var"]}
        return {**gamma, "beta": of["bias"], **statistics}
    return {"kernel": of["weight"].T, "bias": of["bias"]}


def named_layers(network, style, arrays, scale=True, head=True):
    """List of (name, arrays by role) in the order of `model.layers`."""
    counts = {CONVOLUTION: style.first, NORM: style.first}
    prefixes = {CONVOLUTION: style.convolution, NORM: style.norm}
    names = {}
    for layer in layers_as_built(network):
        names[layer] = layer.name
        if layer.name is None:
            number = counts[layer.kind]
            names[layer] = prefixes[layer.kind] + (f"_{number}" if number else "")
            counts[layer.kind] += 1
    layers = layers_by_depth(network)
    if head:
        layers.append(KerasLayer(DENSE, HEADS[network]))
    return [(names.get(layer, "predictions"), keras_arrays(layer, arrays, scale)) for layer in layers]


def write_legacy(group, style, layers, pieces=1):
    """A legacy file's weights in an HDF5 group; `pieces`: in how many attributes the names of layers are cut."""
    names = ["input_1", *(name for name, _ in layers), "activation_1"]
    keys = ["layer_names"] if pieces == 1 else [f"layer_names{piece}" for piece in range(pieces)]
    for key, part in zip(keys, np.array_split(np.array([name.encode() for name in names]), pieces), strict=True):
        group.attrs[key] = part
    group.attrs["backend"] = b"tensorflow"
    new_names = dict(zip(STYLES["keras 3"].roles, style.roles, strict=True))
    for name in ("input_1", "activation_1"):
        group.create_group(name).attrs["weight_names"] = []
    for name, arrays in layers:
        layer = group.create_group(name)
        paths = {role: style.array.format(name, new_names.get(role, role)) for role in arrays}
        layer.attrs["weight_names"] = [path.encode() for path in paths.values()]
        for role, array in arrays.items():
            layer[paths[role]] = array


def write_keras3(group, layers, named=True):
    """Keras 3's weights in an HDF5 group, the layers numbered by kind; without their names as before Keras 3.6."""
    counts = {}
    for name, arrays in layers:
        kind = {"kernel": CONVOLUTION, "depthwise_kernel": SEPARABLE}.get(next(iter(arrays)), NORM)
        if kind == CONVOLUTION and arrays["kernel"].ndim == 2:
            kind = DENSE
        number = counts[kind] = counts.get(kind, -1) + 1
        variables = group.create_group(f"layers/{kind}" + (f"_{number}" if number else "") + "/vars")
        if named:
            variables.attrs["name"] = name
        for index, array in enumerate(arrays.values()):
            variables[str(index)] = array
    empty = group.create_group("layers/activation/vars")
    if named:
        empty.attrs["name"] = "activation_7"


def write_zip(path, weights, config="{}", compression=zipfile.ZIP_STORED):
    """A .keras file around the bytes of a .weights.h5 file."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
