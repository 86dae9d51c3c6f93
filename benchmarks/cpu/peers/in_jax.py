"""The tasks in JAX, compiled by `jax.jit`, with channels-last images (N, H, W, C) and kernels (KH, KW, I, O)."""

import numpy as np

from . import tasks


def prepare(threads):
    import jax  # its thread pool is as large as the set of processors that the process may use

    jax.config.update("jax_platforms", "cpu")


def convolve(x, weight):
    from jax import lax

    return lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pool(x):
    from jax import lax

    return lax.reduce_window(x, -float("inf"), lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def batch_norm(x, weight, bias):
    from jax import lax

    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) * (lax.rsqrt(var + 1e-5) * weight) + bias


def cross_entropy(logits, labels):
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def operation(name):
    labels = tasks.labels_of("cross-entropy")
    return {
        "convolution": convolve,
        "batch norm": batch_norm,
        "max pool": pool,
        "cross-entropy": lambda x: cross_entropy(x, labels),
    }[name]


def channels_last(arrays):
    """Images and gradients of images as (N, H, W, C), the weights behind images as (KH, KW, I, O)."""
    import jax.numpy as jnp

    first, *weights = arrays
    first = first.transpose(0, 2, 3, 1) if first.ndim == 4 else first
    return [jnp.asarray(first), *(jnp.asarray(w.transpose(2, 3, 1, 0) if w.ndim == 4 else w) for w in weights)]


def as_ours(array):
    return np.asarray(array).transpose(0, 3, 1, 2) if array.ndim == 4 else np.asarray(array)


def forward(name):
    import jax

    function, arrays = jax.jit(operation(name)), channels_last(tasks.inputs_of(name))
    return lambda: as_ours(function(*arrays).block_until_ready())


def forward_and_backward(name):
    import jax

    arrays = channels_last(tasks.inputs_of(name))
    (gradient,) = channels_last([tasks.gradient_of_output(name)])
    function = operation(name)

    @jax.jit
    def both(gradient, *arrays):
        output, back = jax.vjp(function, *arrays)
        return output, back(gradient)

    def run():
        _, gradients = jax.block_until_ready(both(gradient, *arrays))
        return as_ours(gradients[0])

    return run


def step():
    import jax
    import jax.numpy as jnp

    first, second, weight, bias = tasks.network()
    # The features of the linear layer are in the order (C, H, W); here they are (H, W, C).
    side = tasks.SIZE // 4
    weight = weight.reshape(tasks.CLASSES, -1, side, side).transpose(0, 2, 3, 1).reshape(weight.shape)
    kernels = [jnp.asarray(w.transpose(2, 3, 1, 0)) for w in (first, second)]
    parameters = [*kernels, jnp.asarray(weight), jnp.asarray(bias)]
    images, labels = tasks.examples()
    (images,), labels = channels_last([images]), jnp.asarray(labels)

    def loss_of(parameters):
        first, second, weight, bias = parameters
        x = pool(jax.nn.relu(convolve(images, first)))
        x = pool(jax.nn.relu(convolve(x, second)))
        return cross_entropy(x.reshape(len(x), -1) @ weight.T + bias, labels)

    @jax.jit
    def update(parameters):
        loss, gradients = jax.value_and_grad(loss_of)(parameters)
        return loss, [p - tasks.RATE * g for p, g in zip(parameters, gradients, strict=True)]

    def run():
        nonlocal parameters
        loss, parameters = jax.block_until_ready(update(parameters))
        return np.asarray(loss)

    return run
