"""Normalisation layers."""

import numpy as np

from .. import functional as F
from ..kernels.checks import integer, real
from ..kernels.transfer import on_device_of
from ..tensor import Tensor
from . import init
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """State and rules of batch normalisation, for inputs whose channels are axis 1.

    Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift"
    (2015), algorithms 1 and 2. In training a channel is normalised by its batch mean and biased variance, and the
    running statistics move by `momentum` towards the batch mean and *unbiased* variance (`momentum=None`: they become
    the average over all batches so far). In evaluation the running statistics normalise. With
    `track_running_stats=False` there are none, and the batch normalises in evaluation too.

    Parameters, with `affine`: `weight` (C,), ones, and, with `bias`, `bias` (C,), zeros. Buffers: `running_mean`,
    `running_var` (C,) and `num_batches_tracked`, a 0-d int64. Raises ValueError for an input of the wrong rank or
    number of channels, TypeError for an `eps` or `momentum` that is not a real number.
    """

    _optional_state = frozenset({"num_batches_tracked"})
    _operation = staticmethod(F.batch_norm)

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, *, bias=True
    ):
        super().__init__()
        name = type(self).__name__
        if integer(name, "num_features", num_features) < 1:
            raise ValueError(f"{name}: num_features must be a positive integer, got {num_features}")
        real(name, "eps", eps)
        if momentum is not None:
            real(name, "momentum", momentum)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        zeros = np.zeros(num_features, np.float32)
        self.register_parameter("weight", Parameter(zeros) if affine else None)
        self.register_parameter("bias", Parameter(zeros) if affine and bias else None)
        self.register_buffer("running_mean", Tensor(zeros) if track_running_stats else None)
        self.register_buffer("running_var", Tensor(zeros) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Set the running mean to 0, the running variance to 1 and the count of batches to 0."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Reset the running statistics, set weight to 1 and bias to 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input):
        raise NotImplementedError

    def forward(self, input):
        if not isinstance(input, Tensor):
            raise TypeError(f"{type(self).__name__}: input must be a Tensor, got {type(input).__name__}")
        self._check_input_dim(input)
        if input.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: expected {self.num_features} channels (num_features), "
                f"got input of shape {input.shape}"
            )
        tracking = self.training and self.track_running_stats and self.num_batches_tracked is not None
        momentum = self.momentum
        if momentum is None:
            # The average of k numbers is the average of k - 1, moved by 1/k towards the last.
            momentum = 1.0 / (int(self.num_batches_tracked) + 1) if tracking else 0.0
        use_running = self.track_running_stats or not self.training
        output = self._operation(
            input,
            self.running_mean if use_running else None,
            self.running_var if use_running else None,
            self.weight,
            self.bias,
            training=self.training or self.running_mean is None,
            momentum=momentum,
            eps=self.eps,
        )
        if tracking:
            self._count_batch()
        return output

    def _count_batch(self):
        """num_batches_tracked += 1, without waiting for a GPU to tell what it is."""
        counter = self.num_batches_tracked
        with on_device_of(counter._array):
            counter._array += 1
        counter._bump_version()

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation (Ioffe and Szegedy 2015) of (N, C) or (N, C, L), each channel over its N or N * L values.

    Arguments as `torch.nn.BatchNorm1d`; `momentum` is the share of the new batch in the running statistics, None
    averages all batches. Parameters `weight`, `bias` (C,); buffers `running_mean`, `running_var` (C,),
    `num_batches_tracked`. Raises ValueError for an input of another rank.
    """

    def _check_input_dim(self, input):
        if input.ndim not in (2, 3):
            raise ValueError(f"BatchNorm1d: expected 2D or 3D input (got {input.ndim}D input)")


class BatchNorm2d(_BatchNorm):
    """Batch normalisation (Ioffe and Szegedy 2015) of (N, C, H, W), each channel over its N * H * W values.

    Arguments as `torch.nn.BatchNorm2d`; `momentum` is the share of the new batch in the running statistics, None
    averages all batches. Parameters `weight`, `bias` (C,); buffers `running_mean`, `running_var` (C,),
    `num_batches_tracked`. Raises ValueError for an input of another rank.
    """

    def _check_input_dim(self, input):
        if input.ndim != 4:
            raise ValueError(f"{type(self).__name__}: expected 4D input (got {input.ndim}D input)")


class BatchNormReLU2d(BatchNorm2d):
    """Batch normalisation and ReLU in one pass: what `Sequential(BatchNorm2d(...), ReLU())` computes, in less time.

    Arguments, parameters, buffers and errors of `BatchNorm2d`. Between the two nothing can be read: the output is that
    of the ReLU.
    """

    _operation = staticmethod(F.batch_norm_relu)


class LocalResponseNorm(Module):
    """x / (k + alpha / size * sum of x^2 over `size` neighbouring channels) ** beta, for (N, C, ...).

    Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks" (2012),
    section 3.3, with alpha divided by `size` as in PyTorch. Raises ValueError for a size below 1, TypeError for
    arguments that are not numbers.
    """

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        if integer("LocalResponseNorm", "size", size) < 1:
            raise ValueError(f"LocalResponseNorm: size must be a positive integer, got {size}")
        for argument, value in (("alpha", alpha), ("beta", beta), ("k", k)):
            real("LocalResponseNorm", argument, value)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
