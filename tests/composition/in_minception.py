"""A network run by minception: layers are modules, the rest are functions and methods of tensors."""

import numpy as np

import minception as mc
import minception.functional as F
from minception import nn
from tests.composition import program as p
from tests.composition.numbers import buffer_arrays, class_weights, cotangent_array, leaf_arrays


def make_layer(layer):
    match layer:
        case p.Convolution(i, o, kernel, stride, padding, dilation, groups, bias):
            return nn.Conv2d(i, o, kernel, stride, padding, dilation, groups, bias)
        case p.Depthwise(i, kernel, stride, padding, dilation, multiplier, bias):
            return nn.DepthwiseConv2d(i, kernel, stride, padding, dilation, multiplier, bias)
        case p.Separable(i, o, kernel, stride, padding, dilation, multiplier, bias):
            return nn.SeparableConv2d(i, o, kernel, stride, padding, dilation, multiplier, bias)
        case p.Linear(i, o, bias):
            return nn.Linear(i, o, bias)
        case p.BatchNorm(i, rank, training, momentum, affine, tracking):
            norm = nn.BatchNorm2d if rank == 4 else nn.BatchNorm1d
            return norm(i, 1e-5, momentum, affine, tracking).train(training)


class Program(nn.Module):
    """The module that a network describes.

    Called with the inputs by name it returns the output. `order`, a permutation of the step numbers, may run them in
    another order; `each(name, tensor)` is called with every input and result, and what it returns takes its place.
    """

    def __init__(self, network, arrays, dtype=np.float64):
        super().__init__()
        self.network = network
        self.layers = nn.ModuleList(make_layer(layer) for layer in network.layers)
        for later, earlier in network.ties:
            self.layers[later].weight = self.layers[earlier].weight
        state = {name: array for name, array in arrays.items() if name.startswith("layers.")}
        self.to(dtype)
        self.load_state_dict({name: state[network.owner(name)] for name in self.state_dict()})
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name not in network.frozen)

    def with_parameters(self, leaves):
        """Use other tensors, by name, in place of the parameters. Returns the module."""
        for path, module in self.named_modules(remove_duplicate=False):
            for key, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[key] = leaves[self.network.owner(f"{path}.{key}")]
        return self

    def forward(self, inputs, each=lambda name, t: t, order=None):
        values = {name: each(name, t) for name, t in inputs.items()}
        for number in range(len(self.network.steps)) if order is None else order:
            step = self.network.steps[number]
            result = self.run(step.operation, *(values[source] for source in step.sources))
            values[step.name] = each(step.name, result)
        return values[self.network.output]

    def run(self, operation, x, *others):
        match operation:
            case p.Apply(layer):
                return self.layers[layer](x)
            case p.Relu():
                return x.relu()
            case p.Elu(alpha):
                return F.elu(x, alpha)
            case p.MaxPool(kernel, stride, padding, ceil):
                return F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)
            case p.AvgPool(kernel, stride, padding, ceil, include_pad, divisor):
                return F.avg_pool2d(x, kernel, stride, padding, ceil, include_pad, divisor)
            case p.AdaptivePool(size):
                return F.adaptive_avg_pool2d(x, size)
            case p.GlobalPool():
                return F.global_avg_pool2d(x)
            case p.Pad(widths, value):
                return F.pad(x, widths, value)
            case p.ResponseNorm(size, alpha, beta, k):
                return F.local_response_norm(x, size, alpha, beta, k)
            case p.Dropout(probability, training):
                return F.dropout(x, probability, training)
            case p.Softmax(axis):
                return F.softmax(x, axis)
            case p.Channels(start, stop):
                return x[:, start:stop]
            case p.SwapSides():
                return x.transpose(2, 3)
            case p.Flatten():
                return F.flatten(x, 1)
            case p.Detach():
                return x.detach()
            case p.Add():
                return x + others[0]
            case p.ScaledAdd(scale):
                return F.scaled_add(x, others[0], scale)
            case p.Multiply():
                return x * others[0]
            case p.Concatenate():
                return F.cat([x, *others], 1)
            case p.CrossEntropy(labels, smoothing, reduction, weighted):
                weight = class_weights(self.network, x.shape[1]).astype(x.dtype) if weighted else None
                return F.cross_entropy(x, np.array(labels), weight, -100, reduction, smoothing)
        raise NotImplementedError(operation)


class Built:
    """A program with its inputs, ready to run: `run()` gives the output, `gradients()` those of all leaves."""

    def __init__(self, network, arrays=None, dtype=np.float64):
        arrays = leaf_arrays(network) | buffer_arrays(network) if arrays is None else arrays
        self.network, self.program = network, Program(network, arrays, dtype)
        self.inputs = {
            name: mc.Tensor(arrays[name], dtype, requires_grad=name not in network.frozen) for name, _ in network.inputs
        }
        self.leaves = self.inputs | dict(self.program.named_parameters())

    def run(self, **options):
        return self.program(self.inputs, **options)

    def gradients(self):
        """A copy of the gradient of every leaf by name, None where nothing arrived."""
        return {name: None if t.grad is None else np.array(t.grad) for name, t in self.leaves.items()}

    def buffers(self):
        return {name: np.array(t) for name, t in self.program.named_buffers()}

    def forget_gradients(self):
        for t in self.leaves.values():
            t.grad = None


def gradients_of(network, arrays=None, cotangent=None, **options):
    """Build a network, run it, walk it back; return the gradients of its leaves by name."""
    built = Built(network, arrays)
    output = built.run(**options)
    if output.requires_grad:
        output.backward(cotangent_array(network) if cotangent is None else cotangent)
    return built.gradients()
