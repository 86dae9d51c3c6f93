"""The forward and backward pass of a training step as a CUDA graph."""

import numpy as np

import minception as mc
from minception.kernels.capture import without_cublas
from minception.kernels.layout import to_nhwc
from minception.models.auxiliary import classification_loss, main_logits

__all__ = ["GraphedPasses", "passes"]


def passes(state, images, labels, label_smoothing):
    """Forward and backward pass: (what the network returned, the loss); gradients are in the parameters' `grad`.

    images: float32 (N, 3, H, W), labels: int64 (N,), tensors on the device of the model.
    """
    outputs = state.model(images)
    loss = classification_loss(outputs, labels, label_smoothing)
    state.optimizer.zero_grad()
    state.scaler.scale(loss).backward()
    return outputs, loss


class GraphedPasses:
    """`passes` for full batches, captured when images of a shape come for the second time, then replayed.

    Batches of fewer images are computed one kernel after the other, and so is the first batch, which compiles the
    kernels; by the same kernels, so that results are the same to the bit. Labels of replayed batches are checked on
    the CPU.
    """

    def __init__(self, state, config):
        self.state, self.label_smoothing, self.batch_size = state, config.label_smoothing, config.batch_size
        self.device, self.seen, self.graphs = config.device, set(), {}

    def __call__(self, images, labels):
        """As `passes`, for NumPy arrays. Tensors that it returns are overwritten by the next call."""
        if len(labels) < self.batch_size or images.shape not in self.seen:
            self.seen.add(images.shape)
            with without_cublas():
                arrays = (mc.from_numpy(array).to(self.device) for array in (images, labels))
                return passes(self.state, *arrays, self.label_smoothing)
        if images.shape not in self.graphs:
            self.graphs[images.shape] = _Graph(self.state, images, labels, self.device, self.label_smoothing)
        return self.graphs[images.shape].replay(images, labels)


class _Graph:
    """The passes for images of one shape."""

    def __init__(self, state, images, labels, device, label_smoothing):
        self.state, self.graph = state, mc.cuda.CUDAGraph()
        self.images, self.labels = (mc.from_numpy(array).to(device) for array in (images, labels))
        self.scale = mc.Tensor(np.float32(state.scaler.get_scale()), device=device)
        self.parameters = list(state.model.parameters())
        for parameter in self.parameters:
            parameter.grad = None  # so that the graph makes them, rather than adding to them
        with mc.cuda.graph(self.graph):
            self.outputs = state.model(self.images)
            self.loss = classification_loss(self.outputs, self.labels, label_smoothing)
            scaled = self.loss * self.scale if state.scaler.is_enabled() else self.loss
            scaled.backward()
        self.grads = [parameter.grad for parameter in self.parameters]

    def replay(self, images, labels):
        """Write the batch to where the graph reads it, and run the graph."""
        classes = main_logits(self.outputs).shape[1]
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"labels must be from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
        to_nhwc(self.images._array).set(np.ascontiguousarray(to_nhwc(images)))
        self.labels._array.set(labels)
        if self.state.scaler.is_enabled():
            self.scale.fill_(self.state.scaler.get_scale())
        self.graph.replay()
        for parameter, grad in zip(self.parameters, self.grads, strict=True):
            parameter.grad = grad
        return self.outputs, self.loss
