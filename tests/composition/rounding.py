"""How much rounding may matter: the network in torch's float64, exactly and with much larger rounding errors.

A tolerance made by hand is too tight for one network and says nothing about another: batch norm of a channel whose
values nearly agree magnifies an error 300 times, and its gradient cancels. So the rounding is measured: the network
runs again with every operand and result of every inexact operation, forward and backward, off by a relative 2**-40
of random sign. What changes is what rounding errors of 2**-40 do, and those of float32 or float64 do the same in
proportion (Parker, "Monte Carlo arithmetic", 1997). Operations that only choose or move elements stay exact.

Fused operations that cancel inside (batch norm, softmax) run here step by step, with an error in each step.
"""

from dataclasses import dataclass

import numpy as np
import torch

from tests.composition import program as p
from tests.composition.in_torch import Functions, run
from tests.composition.numbers import buffer_arrays, cotangent_array, leaf_arrays

ERROR = 2.0**-40
RUNS = 3
SAFETY = 64.0


class Rounded(torch.autograd.Function):
    """The identity, up to a relative error of ERROR and random sign in each element, forward and backward."""

    @staticmethod
    def forward(ctx, x, generator):
        ctx.generator = generator
        return x * signs(x, generator)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * signs(grad_output, ctx.generator), None


def signs(x, generator):
    """1 + e, e of random sign and of ERROR / 2 to ERROR: errors of one size only would cancel to the last digit."""
    e = 2 * torch.rand(x.shape, generator=generator, dtype=torch.float64) - 1
    return 1 + ERROR / 2 * (e + torch.sign(e))


class InexactFunctions(Functions):
    """torch's functions, those that cancel inside step by step, with errors of ERROR in operands and results."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        for name in "conv2d linear elu avg_pool2d adaptive_avg_pool2d local_response_norm add multiply".split():
            setattr(self, name, self.inexact(getattr(Functions, name)))

    def rounded(self, x):
        return Rounded.apply(x, self.generator) if torch.is_tensor(x) else x

    def inexact(self, function):
        return lambda *operands: self.rounded(function(*(self.rounded(x) for x in operands)))

    def batch_norm(self, x, running_mean, running_var, weight, bias, training, momentum, eps):
        r, axes = self.rounded, (0, *range(2, x.ndim))

        def along(statistic):
            """Repeated for each element, with an error in each: backward sums over them what may cancel."""
            return r(statistic.view(1, -1, *(1 for _ in x.shape[2:])).expand_as(x))

        mean, var = running_mean, running_var
        if training:
            mean = r(r(x).mean(axes))
            var = r(r(r(r(x) - along(mean)) ** 2).mean(axes))
            if running_mean is not None:
                count = x.numel() // x.shape[1]
                running_mean.mul_(1 - momentum).add_(momentum * mean.detach())
                running_var.mul_(1 - momentum).add_(momentum * var.detach() * count / (count - 1))
        y = r(r(r(x) - along(mean)) * along(r(var + eps) ** -0.5))
        return y if weight is None else r(r(y * along(weight)) + along(bias))

    def softmax(self, x, axis):
        r = self.rounded
        exponentials = r(torch.exp(r(r(x) - x.detach().amax(axis, keepdim=True))))
        total = r(r(exponentials).sum(axis, keepdim=True))
        return r(r(exponentials) / r(total.expand_as(x)))

    def cross_entropy(self, x, labels, weight, reduction, label_smoothing):
        r = self.rounded
        shifted = r(r(x) - x.detach().amax(1, keepdim=True))
        total = r(r(torch.exp(shifted)).sum(1, keepdim=True))
        # Not torch's cross_entropy of these: it would normalise them anew, and the error of `total` would be lost.
        costs = -r(r(shifted) - r(r(torch.log(total)).expand_as(x)))
        if weight is None:
            weight = torch.ones(x.shape[1], dtype=x.dtype)
        counted, labels = labels != -100, labels.clamp(min=0)  # -100: ignored
        picked = weight[labels] * costs.gather(1, labels[:, None])[:, 0]
        losses = r((1 - label_smoothing) * picked + label_smoothing / x.shape[1] * (weight * costs).sum(1))
        losses = torch.where(counted, losses, 0)
        if reduction == "none":
            return losses
        return r(losses.sum() / (weight[labels] * counted).sum() if reduction == "mean" else losses.sum())


class StepwiseFunctions(InexactFunctions):
    """The same steps without errors."""

    def rounded(self, x):
        return x


@dataclass
class Results:
    """What a run gave, as arrays by name: all values, their gradients (or None), and the buffers afterwards."""

    values: dict
    gradients: dict
    buffers: dict


def results_of_torch(network, functions):
    arrays = leaf_arrays(network)
    leaves = {name: torch.tensor(a, requires_grad=name not in network.frozen) for name, a in arrays.items()}
    buffers = {name: torch.tensor(array) for name, array in buffer_arrays(network).items()}
    inputs = {name: leaves[name] for name, _ in network.inputs}
    state = {name: t for name, t in leaves.items() if name not in inputs} | buffers
    for later, _ in network.ties:
        state[f"layers.{later}.weight"] = leaves[network.owner(f"layers.{later}.weight")]
    values = run(network, inputs, state, functions)
    for t in values.values():
        if t.requires_grad:
            t.retain_grad()
    if values[network.output].requires_grad:
        values[network.output].backward(torch.tensor(cotangent_array(network)))
    gradients = {name: None if t.grad is None else t.grad.numpy() for name, t in (leaves | values).items()}
    return Results(numpy_of(values), gradients, numpy_of(buffers))


def numpy_of(tensors):
    return {name: t.detach().numpy() for name, t in tensors.items()}


class Measured:
    """Torch's results, and how far a run with errors of relative size ERROR strays from each."""

    def __init__(self, network):
        self.network = network
        self.exact = results_of_torch(network, Functions())
        self.stepwise = results_of_torch(network, StepwiseFunctions(0))
        self.inexact = [results_of_torch(network, InexactFunctions(seed)) for seed in range(RUNS)]

    def deviation(self, kind, name):
        """Largest deviation of each element over the inexact runs."""
        exact = getattr(self.stepwise, kind)[name]
        return np.max([np.abs(getattr(other, kind)[name] - exact) for other in self.inexact], axis=0)

    def tolerance(self, kind, name, dtype):
        """Allowed error of an array in `dtype`: SAFETY times what rounding was measured to do.

        torch's own float64 batch norm subtracts numbers as large as mean / deviation. What it lost of a result is
        how far the result is from the same taken step by step; twice that is allowed on top.
        """
        unit = np.finfo(dtype).eps
        exact = getattr(self.exact, kind)[name]
        largest = np.abs(exact).max(initial=0)
        lost = np.abs(getattr(self.stepwise, kind)[name] - exact).max(initial=0)
        return SAFETY * unit * (self.deviation(kind, name).max(initial=0) / ERROR + largest) + 2 * lost

    def has_near_ties(self, dtype):
        """Whether rounding, in `dtype` or in the inexact runs, could send a gradient another way.

        It could where the input of a ReLU or ELU is inexact and nearly 0, or where two elements of one image of
        which one is inexact nearly tie before a max pooling. Exact ties, as of zeros behind a ReLU, cannot change.
        """
        worst = SAFETY * max(1.0, np.finfo(dtype).eps / ERROR)
        for step in self.network.steps:
            if not isinstance(step.operation, (p.Relu, p.Elu, p.MaxPool)):
                continue
            x, deviation = self.exact.values[step.sources[0]], self.deviation("values", step.sources[0])
            margin = worst * deviation.max(initial=0)
            if isinstance(step.operation, p.MaxPool):
                x, deviation = x.reshape(*x.shape[:2], -1), deviation.reshape(*x.shape[:2], -1)
                order = np.argsort(x, axis=-1, kind="stable")
                x, deviation = np.take_along_axis(x, order, -1), np.take_along_axis(deviation, order, -1)
                close = (np.diff(x) <= 2 * margin) & (np.maximum(deviation[..., 1:], deviation[..., :-1]) > 0)
            else:
                close = (np.abs(x) <= margin) & (deviation > 0)
            if close.any():
                return True
        return False
