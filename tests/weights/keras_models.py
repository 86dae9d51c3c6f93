"""What the tests of Keras's files share."""

import functools
import tempfile
from pathlib import Path

import h5py
import numpy as np

from minception import models
from minception.weights.keras import KERAS_OPTIONS
from tests.weights.keras_files import STYLES, named_layers, random_arrays, write_keras3, write_legacy

NETWORKS = sorted(KERAS_OPTIONS)


@functools.cache
def small(network, **options):
    """A narrow network with Keras's options, which no test may change."""
    options = {"num_classes": 7, "width": 0.05, **KERAS_OPTIONS[network], **options}
    return models.create(network, **options)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape and found[name].dtype == array.dtype, name
        assert np.array_equal(found[name], array), name


def model_head(network):
    return "classif" if network == "inception_resnet_v2" else "fc"


def legacy(path, network, model, style="keras 2", group=None, pieces=1, **options):
    """Write a legacy file of random numbers; return them under our names."""
    arrays = random_arrays(model)
    with h5py.File(path, "w") as file:
        layers = named_layers(network, STYLES[style], arrays, **options)
        write_legacy(file.create_group(group) if group else file, STYLES[style], layers, pieces)
    return arrays


def keras3(path, network, model, named=True, dtype=np.float32, **options):
    """Write a Keras 3 `.weights.h5` file of random numbers; return them under our names."""
    arrays = random_arrays(model, dtype=dtype)
    with h5py.File(path, "w") as file:
        write_keras3(file, named_layers(network, STYLES["keras 3"], arrays, **options), named)
    return arrays


@functools.cache
def written(write):
    """The bytes of a file of random numbers that `write` makes for `small("xception")`."""
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory) / "weights.h5", "xception", small("xception"))
        return (Path(directory) / "weights.h5").read_bytes()
