"""The same weights in a network and in its PyTorch twin, and what both make of the same images.

Whole networks are compared in float64, where two correct implementations differ by about 1e-12: in float32 a ReLU or
a max pool that switches by rounding changes single gradients by percents in any implementation.
"""

from dataclasses import dataclass

import numpy as np
import torch

from minception import Tensor, models, nn
from minception.models.auxiliary import classification_loss
from tests.models.twins import TWINS

RELATIVE = 1e-9


@dataclass(frozen=True)
class Case:
    """A network with options of its constructor, and the image sizes at which it is compared."""

    name: str
    options: tuple = ()  # pairs (argument, value)
    size: tuple = (32, 32)
    in_channels: int = 3
    num_classes: int = 11

    def __str__(self):
        options = "-".join(f"{key}={value}" for key, value in self.options)
        return f"{self.name}-{options}" if options else self.name

    def make(self, dtype=np.float64):
        """Our network and its twin with the same random weights, without dropout, in training mode."""
        arguments = {"num_classes": self.num_classes, "in_channels": self.in_channels, **dict(self.options)}
        ours, twin = models.create(self.name, **arguments), TWINS[self.name](**arguments)
        state = random_state(ours.state_dict())
        ours, twin = ours.to(dtype), twin.to(torch.float64 if dtype == np.float64 else torch.float32)
        ours.load_state_dict(state)
        twin.load_state_dict({key: torch.tensor(array) for key, array in state.items()})
        without_dropout(ours, nn.Dropout)
        without_dropout(twin, torch.nn.Dropout)
        return ours.train(), twin.train()

    def images(self, count, seed=0):
        return np.random.default_rng(seed).standard_normal((count, self.in_channels, *self.size))

    def labels(self, count):
        return np.arange(count) % self.num_classes


def without_dropout(model, kind):
    for module in model.modules():
        if isinstance(module, kind):
            module.p = 0.0


def random_state(state):
    """Values for every entry of a state_dict that keep activations near 1 through any number of layers, none of them
    special: no scale is 1, no shift or running mean 0."""
    rng = np.random.default_rng(7)
    drawn = {}
    for name, array in state.items():
        last = name.rpartition(".")[2]
        if last == "num_batches_tracked":
            drawn[name] = array
        elif last == "running_var" or (last == "weight" and array.ndim == 1):
            drawn[name] = rng.uniform(0.5, 1.5, array.shape)
        elif array.ndim == 1:
            drawn[name] = 0.1 * rng.standard_normal(array.shape)
        else:
            fan_in = np.prod(array.shape[1:])
            drawn[name] = rng.standard_normal(array.shape) * np.sqrt(2 / fan_in)
    return drawn


@dataclass
class Step:
    """All numbers of one training step."""

    outputs: list
    loss: float
    grad_images: np.ndarray
    gradients: dict
    buffers: dict


def our_step(model, images, labels):
    x = Tensor(images, requires_grad=True)
    outputs = model(x)
    loss = classification_loss(outputs, labels, label_smoothing=0.1)
    loss.backward()
    return Step(
        [np.asarray(t) for t in as_list(outputs)],
        float(loss),
        np.asarray(x.grad),
        {name: np.asarray(p.grad) for name, p in model.named_parameters()},
        {name: np.asarray(b) for name, b in model.named_buffers()},
    )


def torch_step(model, images, labels, aux_weight):
    x = torch.tensor(images, requires_grad=True)
    outputs = as_list(model(x))
    losses = [torch.nn.functional.cross_entropy(t, torch.tensor(labels), label_smoothing=0.1) for t in outputs]
    loss = losses[0] + aux_weight * sum(losses[1:])
    loss.backward()
    return Step(
        [t.detach().numpy() for t in outputs],
        loss.item(),
        x.grad.numpy(),
        {name: p.grad.numpy() for name, p in model.named_parameters()},
        {name: b.numpy() for name, b in model.named_buffers()},
    )


def as_list(outputs):
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def logits(model, images):
    """Those of evaluation."""
    model.eval()
    if isinstance(model, torch.nn.Module):
        with torch.no_grad():
            return model(torch.tensor(images)).numpy()
    return np.asarray(model(Tensor(images)))


def assert_same(actual, expected, what, least=0.0):
    """Equal to 1e-9 of the largest element, or of `least` where theory makes all elements zero."""
    assert actual.shape == expected.shape, what
    error = np.abs(actual - expected).max()
    assert error <= RELATIVE * max(np.abs(expected).max(), least), f"{what}: off by {error:.3g}"


def assert_same_step(ours, theirs):
    """Everything of two steps; gradients that are zero in theory, such as those of biases before batch norm, are judged
    by the typical size of gradients."""
    assert len(ours.outputs) == len(theirs.outputs)
    for position, (actual, expected) in enumerate(zip(ours.outputs, theirs.outputs, strict=True)):
        assert_same(actual, expected, f"output {position}")
    assert_same(np.array(ours.loss), np.array(theirs.loss), "loss")
    assert_same(ours.grad_images, theirs.grad_images, "gradient of the images")
    assert ours.gradients.keys() == theirs.gradients.keys()
    typical = np.median([np.abs(gradient).max() for gradient in theirs.gradients.values()])
    for name, expected in theirs.gradients.items():
        assert_same(ours.gradients[name], expected, f"gradient of {name}", least=typical)
    assert ours.buffers.keys() == theirs.buffers.keys()
    for name, expected in theirs.buffers.items():
        assert_same(ours.buffers[name], expected, name)
