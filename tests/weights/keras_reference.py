"""A network of keras.applications with random weights, saved by Keras in its formats, and the logits that it computes.

Run as a program, because Keras takes its backend from the environment and changes more than a test should:

    python -m tests.weights.keras_reference NETWORK FOLDER HEIGHT WIDTH FORMAT ...

writes FOLDER/weights.FORMAT for each format (h5, keras, weights.h5, and those of `save` below) and
FOLDER/numbers.npz: images (2, HEIGHT, WIDTH, 3), their logits in float64 and in float32.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import logging
import sys

import keras
import numpy as np
import torch

CLASSES = 10
NAMES = {"inception_resnet_v2": "InceptionResNetV2", "inception_v3": "InceptionV3", "xception": "Xception"}


def build(network, height, width, **options):
    constructor = getattr(keras.applications, NAMES[network])
    return constructor(weights=None, input_shape=(height, width, 3), **options)


def randomize(model, rng):
    """Give every array random values, so that each layer's output has about unit variance and nothing is symmetric."""
    norms = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            norms.append(layer)
            layer.momentum = 0.0  # the next batch's statistics replace the moving ones
        for weight in layer.weights:
            if weight.name.endswith("kernel"):
                fan_in = np.prod(weight.shape[:2] if weight.name == "depthwise_kernel" else weight.shape[:-1])
                weight.assign(rng.normal(0, fan_in**-0.5, weight.shape))
            elif weight.name == "gamma":
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
            else:
                weight.assign(rng.normal(0, 0.2, weight.shape))
    model(rng.uniform(-1, 1, (4, *model.input_shape[1:])), training=True)
    for layer in norms:
        layer.momentum = 0.99
        layer.moving_mean.assign(layer.moving_mean + rng.normal(0, 0.1, layer.moving_mean.shape))
        # At the end of a small image a channel may hardly have varied.
        variance = keras.ops.maximum(layer.moving_variance, 0.1)
        layer.moving_variance.assign(variance * rng.uniform(0.8, 1.2, variance.shape))


def save(model, network, path, form):
    if form == "no_head.keras":
        top = build(network, 96, 96, include_top=False)
        top.set_weights(model.get_weights()[:-2])
        top.save(path)
    elif form in ("nested.h5", "nested.keras"):
        top = build(network, 96, 96, include_top=False, pooling="avg")
        top.set_weights(model.get_weights()[:-2])
        for layer in top.layers[:-20]:
            layer.trainable = False  # which changes the order of a nested model's arrays in .h5 files
        dense = keras.layers.Dense(CLASSES, name="my_classes")
        outer = keras.Sequential([keras.Input((96, 96, 3)), top, keras.layers.Dropout(0.3), dense])
        dense.set_weights(model.get_weights()[-2:])
        outer.compile("adam", "mse")
        outer.optimizer.build(outer.trainable_variables)
        outer.save(path)
    elif form == "weights.h5":
        model.save_weights(path)
    else:
        model.save(path)


def main(network, folder, height, width, *forms):
    logging.disable(logging.WARNING)  # that .h5 is legacy
    torch.set_num_threads(1)
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    height, width = int(height), int(width)
    options = {"classes": CLASSES, "classifier_activation": None}

    # Keras computes batch norm, means and sums in float32 unless its table of dtypes is told otherwise.
    keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_dtype_policy("float64")
    double = build(network, height, width, **options)
    randomize(double, rng)
    single_weights = [weight.astype(np.float32) for weight in double.get_weights()]
    double.set_weights(single_weights)
    images = rng.uniform(-1, 1, (2, height, width, 3)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(double(images, training=False))
    assert logits.dtype == np.float64

    keras.config.set_dtype_policy("float32")
    single = build(network, height, width, **options)  # its layers' numbers do not start at the first
    single.set_weights(single_weights)
    single_logits = keras.ops.convert_to_numpy(single(images, training=False))
    np.savez(f"{folder}/numbers.npz", images=images, logits=logits, single_logits=single_logits)
    for form in forms:
        save(single, network, f"{folder}/weights.{form}", form)


if __name__ == "__main__":
    main(*sys.argv[1:])
