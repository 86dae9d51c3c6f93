"""Batch normalization and local response normalization."""

from .. import kernels
from ..autograd import Function
from ..device import require_one_device
from ..kernels.checks import real, shape
from ..kernels.transfer import on_device_of
from .arguments import require_tensors


class BatchNormTrain(Function):
    """Normalise each channel by the mean and variance of this batch, which the gradient flows through."""

    def forward(self, x, weight, bias, eps, statistics):
        y, mean, var = kernels.batch_norm_train(x, weight, bias, eps)
        self.save(x=x, weight=weight, mean=mean, var=var)
        self.eps = eps
        statistics.update(mean=mean, var=var)
        return y

    def backward(self, grad_output):
        saved = self.saved
        return kernels.batch_norm_train_backward(
            grad_output, saved.x, saved.weight, saved.mean, saved.var, self.eps
        )


class BatchNormEval(Function):
    """Normalise each channel by its running statistics, which are constants."""

    def forward(self, x, weight, bias, running_mean, running_var, eps):
        self.save(x=x, weight=weight)
        self.running = running_mean.copy(), running_var.copy()
        self.eps = eps
        return kernels.batch_norm_eval(x, running_mean, running_var, weight, bias, eps)

    def backward(self, grad_output):
        saved = self.saved
        return kernels.batch_norm_eval_backward(grad_output, saved.x, saved.weight, *self.running, self.eps)


class BatchNormReLUTrain(Function):
    """`BatchNormTrain` and ReLU in one. Of its output it keeps nothing: backward computes again where that is 0."""

    def forward(self, x, weight, bias, eps, statistics):
        y, mean, var, scale, shift = kernels.batch_norm_relu_train(x, weight, bias, eps)
        self.save(x=x, weight=weight, mean=mean, var=var, scale=scale, shift=shift)
        self.eps = eps
        statistics.update(mean=mean, var=var)
        return y

    def backward(self, grad_output):
        s = self.saved
        return kernels.batch_norm_relu_train_backward(
            grad_output, s.x, s.weight, s.mean, s.var, s.scale, s.shift, self.eps
        )


class BatchNormReLUEval(Function):
    """`BatchNormEval` and ReLU in one."""

    def forward(self, x, weight, bias, running_mean, running_var, eps):
        self.save(x=x, weight=weight, bias=bias)
        self.running = running_mean.copy(), running_var.copy()
        self.eps = eps
        return kernels.batch_norm_relu_eval(x, running_mean, running_var, weight, bias, eps)

    def backward(self, grad_output):
        saved = self.saved
        return kernels.batch_norm_relu_eval_backward(
            grad_output, saved.x, *self.running, saved.weight, saved.bias, self.eps
        )


class LocalResponseNorm(Function):
    """Divide by a power of the mean square over neighbouring channels."""

    def forward(self, x, size, alpha, beta, k):
        y, scale = kernels.local_response_norm(x, size, alpha, beta, k)
        self.save(x=x, scale=scale)
        self.constants = size, alpha, beta, k
        return y

    def backward(self, grad_output):
        return kernels.local_response_norm_backward(
            grad_output, self.saved.x, self.saved.scale, *self.constants
        )


def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Batch normalization of (N, C), (N, C, L) or (N, C, H, W) (Ioffe and Szegedy 2015).

    In training it normalises by the batch and moves the running statistics, unless they are None, in place by
    `momentum` towards the batch's mean and unbiased variance; else it normalises by the running statistics.

    Raises ValueError for wrong shapes, one value per channel in training, or running statistics that are missing in
    evaluation; TypeError for wrong dtypes.
    """
    arguments = input, running_mean, running_var, weight, bias, training, momentum, eps
    return _batch_norm("batch_norm", BatchNormTrain, BatchNormEval, *arguments)


def batch_norm_relu(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """`relu(batch_norm(...))` in one operation, which reads and writes less memory. Arguments and errors as there."""
    arguments = input, running_mean, running_var, weight, bias, training, momentum, eps
    return _batch_norm("batch_norm_relu", BatchNormReLUTrain, BatchNormReLUEval, *arguments)


def _batch_norm(name, train, evaluate, input, running_mean, running_var, weight, bias, training, momentum, eps):
    """Apply the Function `train` or `evaluate`; the former moves the running statistics."""
    require_tensors(name, input=input)
    for argument, statistic in (("running_mean", running_mean), ("running_var", running_var)):
        if statistic is not None:
            require_tensors(name, **{argument: statistic})
            shape(name, argument, statistic, input.shape[1:2], "one value per channel of input")
    momentum = real(name, "momentum", momentum)
    require_one_device(name, *(t if t is None else t._array for t in (input, running_mean, running_var)))
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError(f"{name}: running_mean and running_var are needed when training is False")
        return evaluate.apply(
            input, weight, bias, running_mean=running_mean._array, running_var=running_var._array, eps=eps
        )
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{name}: running_mean and running_var must both be given or both be None")
    statistics = {}
    output = train.apply(input, weight, bias, eps=eps, statistics=statistics)
    if running_mean is not None:
        with on_device_of(input._array):
            kernels.batch_norm_update_running(
                running_mean._array,
                running_var._array,
                statistics["mean"],
                statistics["var"],
                input.numel() // input.shape[1],
                momentum,
            )
        running_mean._bump_version()
        running_var._bump_version()
    return output


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """input / (k + alpha * mean of squares over `size` neighbouring channels) ** beta (Krizhevsky et al. 2012)."""
    return LocalResponseNorm.apply(input, size=size, alpha=alpha, beta=beta, k=k)
