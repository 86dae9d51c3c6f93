"""Evaluation frees what it no longer needs: the peak memory of Inception-v4 on one image of its native size."""

import tracemalloc

import numpy as np

from minception import Tensor, models, no_grad

ALLOWED = 1.5


def largest_pair(model, images):
    """Bytes of the input and output of the layer where both together are largest."""
    pairs = []

    def record(layer, inputs, output):
        pairs.append(inputs[0].numpy().nbytes + output.numpy().nbytes)

    handles = [layer.register_forward_hook(record) for layer in model.modules() if not list(layer.children())]
    model(images)
    for handle in handles:
        handle.remove()
    return max(pairs)


def test_inception_v4():
    model = models.inception_v4().eval()
    weights = sum(tensor.numpy().nbytes for tensor in (*model.parameters(), *model.buffers()))
    images = Tensor(np.zeros((1, 3, 299, 299), np.float32))
    with no_grad():
        pair = largest_pair(model, images)
        tracemalloc.start()
        try:
            model(images)
            activations = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert weights > 4 * 42_000_000 and pair > 4 * 2 * 147 * 147 * 32
    assert weights + activations <= ALLOWED * (weights + pair)
    # Sharper, since the weights are most of it: what is live at once is a small multiple of the largest pair.
    assert activations <= 6 * pair, f"{activations / 2**20:.1f} MiB of activations, largest pair {pair / 2**20:.1f} MiB"
