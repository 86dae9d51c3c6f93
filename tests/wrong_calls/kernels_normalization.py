"""Wrong calls of the batch-norm and local-response-norm kernels."""

import numpy as np

from minception import Tensor, kernels

from .table import not_floating_arrays, not_integers, not_reals, wrong, zeros

X, C3, C4 = zeros(4, 3, 5, 2), zeros(3) + 1, zeros(4)
ONE_VALUE = "Expected more than 1 value per channel when training"
EPS = "must be positive during training"


def per_channel(argument, call, optional=False):
    """Wrong arrays that should have one value per channel."""
    return [
        *not_floating_arrays(argument, C3, call, optional),
        wrong(f"{argument} of wrong length", lambda: call(C4), ValueError, f"{argument} must have shape", "got (4,)"),
        wrong(f"{argument} of rank 2", lambda: call(C3[None]), ValueError, f"{argument} must have shape", "(1, 3)"),
    ]


def images(call, alone=False):
    """Wrong inputs, (N, C, ...)."""
    return [
        *not_floating_arrays("x", X, call, alone=alone),
        wrong("x of rank 1", lambda: call(zeros(3)), ValueError, "x must have at least 2 dimensions", "(3,)"),
        wrong("x a tensor", lambda: call(Tensor(X)), TypeError, "x must be an array, got Tensor"),
    ]


def grad_outputs(call):
    """Wrong gradients of the output."""
    words = ("grad_output must have shape", "(4, 3, 5, 2)")
    return [
        *not_floating_arrays("grad_output", X, call),
        wrong("grad_output of another height", lambda: call(X[:, :, 1:]), ValueError, *words, "(4, 3, 4, 2)"),
        wrong("grad_output of rank 3", lambda: call(X[0]), ValueError, *words, "(3, 5, 2)"),
    ]


def training_eps(call):
    """Wrong eps of a training pass."""
    return [
        *not_reals("eps", call, nan=EPS),
        wrong("eps zero", lambda: call(0.0), ValueError, f"eps {EPS}", "0.0"),
        wrong("eps negative", lambda: call(-1.0), ValueError, f"eps {EPS}", "-1.0"),
    ]


def eval_eps(call):
    """Wrong eps of an evaluation pass, where zero is right."""
    return [
        *not_reals("eps", call, nan="must be non-negative"),
        wrong("eps negative", lambda: call(-1.0), ValueError, "eps must be non-negative, got -1.0"),
    ]


def one_value(call):
    """One value per channel has no variance."""
    return [
        wrong(f"one value per channel, rank {len(shape)}", lambda s=shape: call(zeros(*s)), ValueError, ONE_VALUE)
        for shape in ((1, 3), (1, 3, 1), (1, 3, 1, 1))
    ]


def train_backward(grad_output=X, x=X, weight=C3, mean=C3, var=C3, eps=1e-5):
    return kernels.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)


def eval_backward(grad_output=X, x=X, weight=C3, running_mean=C3, running_var=C3, eps=1e-5):
    return kernels.batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps)


def evaluate(x=X, running_mean=C3, running_var=C3, weight=C3, bias=C3, eps=1e-5):
    return kernels.batch_norm_eval(x, running_mean, running_var, weight, bias, eps)


def relu_train_backward(grad_output=X, x=X, weight=C3, mean=C3, var=C3, scale=C3, shift=C3, eps=1e-5):
    return kernels.batch_norm_relu_train_backward(grad_output, x, weight, mean, var, scale, shift, eps)


def relu_eval_backward(grad_output=X, x=X, running_mean=C3, running_var=C3, weight=C3, bias=C3, eps=1e-5):
    return kernels.batch_norm_relu_eval_backward(grad_output, x, running_mean, running_var, weight, bias, eps)


def relu_evaluate(x=X, running_mean=C3, running_var=C3, weight=C3, bias=C3, eps=1e-5):
    return kernels.batch_norm_relu_eval(x, running_mean, running_var, weight, bias, eps)


def read_only(array):
    view = array.view()
    view.flags.writeable = False
    return view


def update(running_mean=C3, running_var=C3, mean=C3, var=C3, count=2, momentum=0.1):
    copies = [a.copy() if isinstance(a, np.ndarray) and a.flags.writeable else a for a in (running_mean, running_var)]
    return kernels.batch_norm_update_running(*copies, mean, var, count, momentum)


LRN_X = zeros(2, 4, 3, 3) + 1


def lrn_backward(grad_output=LRN_X, x=LRN_X, scale=LRN_X, size=3, **constants):
    return kernels.local_response_norm_backward(grad_output, x, scale, size, **constants)


def lrn_constants(call):
    """Wrong constants of a local response norm; `call(size=..., alpha=..., ...)`."""
    return [
        *not_integers("size", lambda bad: call(size=bad)),
        wrong("size zero", lambda: call(size=0), ValueError, "size must be positive, got 0"),
        wrong("size negative", lambda: call(size=-3), ValueError, "size must be positive, got -3"),
        *not_reals("alpha", lambda bad: call(size=3, alpha=bad)),
        *not_reals("beta", lambda bad: call(size=3, beta=bad)),
        *not_reals("k", lambda bad: call(size=3, k=bad)),
    ]


TABLES = {
    "kernels.batch_norm_train": [
        *images(lambda bad: kernels.batch_norm_train(bad, C3, C3)),
        *per_channel("weight", lambda bad: kernels.batch_norm_train(X, bad, C3), optional=True),
        *per_channel("bias", lambda bad: kernels.batch_norm_train(X, C3, bad), optional=True),
        *training_eps(lambda bad: kernels.batch_norm_train(X, C3, C3, bad)),
        *one_value(lambda x: kernels.batch_norm_train(x, C3, C3)),
    ],
    "kernels.batch_norm_train_backward": [
        *grad_outputs(train_backward),
        *images(lambda bad: train_backward(x=bad)),
        *per_channel("weight", lambda bad: train_backward(weight=bad), optional=True),
        *per_channel("mean", lambda bad: train_backward(mean=bad)),
        *per_channel("var", lambda bad: train_backward(var=bad)),
        *training_eps(lambda bad: train_backward(eps=bad)),
    ],
    "kernels.batch_norm_eval": [
        *images(evaluate),
        *per_channel("running_mean", lambda bad: evaluate(running_mean=bad)),
        *per_channel("running_var", lambda bad: evaluate(running_var=bad)),
        *per_channel("weight", lambda bad: evaluate(weight=bad), optional=True),
        *per_channel("bias", lambda bad: evaluate(bias=bad), optional=True),
        *eval_eps(lambda bad: evaluate(eps=bad)),
    ],
    "kernels.batch_norm_eval_backward": [
        *grad_outputs(eval_backward),
        *images(lambda bad: eval_backward(x=bad)),
        *per_channel("weight", lambda bad: eval_backward(weight=bad), optional=True),
        *per_channel("running_mean", lambda bad: eval_backward(running_mean=bad)),
        *per_channel("running_var", lambda bad: eval_backward(running_var=bad)),
        *eval_eps(lambda bad: eval_backward(eps=bad)),
    ],
    "kernels.batch_norm_relu_train": [
        *images(lambda bad: kernels.batch_norm_relu_train(bad, C3, C3)),
        *per_channel("weight", lambda bad: kernels.batch_norm_relu_train(X, bad, C3), optional=True),
        *per_channel("bias", lambda bad: kernels.batch_norm_relu_train(X, C3, bad), optional=True),
        *training_eps(lambda bad: kernels.batch_norm_relu_train(X, C3, C3, bad)),
        *one_value(lambda x: kernels.batch_norm_relu_train(x, C3, C3)),
    ],
    "kernels.batch_norm_relu_train_backward": [
        *grad_outputs(relu_train_backward),
        *images(lambda bad: relu_train_backward(x=bad)),
        *per_channel("weight", lambda bad: relu_train_backward(weight=bad), optional=True),
        *per_channel("mean", lambda bad: relu_train_backward(mean=bad)),
        *per_channel("var", lambda bad: relu_train_backward(var=bad)),
        *per_channel("scale", lambda bad: relu_train_backward(scale=bad)),
        *per_channel("shift", lambda bad: relu_train_backward(shift=bad)),
        *training_eps(lambda bad: relu_train_backward(eps=bad)),
    ],
    "kernels.batch_norm_relu_eval": [
        *images(relu_evaluate),
        *per_channel("running_mean", lambda bad: relu_evaluate(running_mean=bad)),
        *per_channel("running_var", lambda bad: relu_evaluate(running_var=bad)),
        *per_channel("weight", lambda bad: relu_evaluate(weight=bad), optional=True),
        *per_channel("bias", lambda bad: relu_evaluate(bias=bad), optional=True),
        *eval_eps(lambda bad: relu_evaluate(eps=bad)),
    ],
    "kernels.batch_norm_relu_eval_backward": [
        *grad_outputs(relu_eval_backward),
        *images(lambda bad: relu_eval_backward(x=bad)),
        *per_channel("running_mean", lambda bad: relu_eval_backward(running_mean=bad)),
        *per_channel("running_var", lambda bad: relu_eval_backward(running_var=bad)),
        *per_channel("weight", lambda bad: relu_eval_backward(weight=bad), optional=True),
        *per_channel("bias", lambda bad: relu_eval_backward(bias=bad), optional=True),
        *eval_eps(lambda bad: relu_eval_backward(eps=bad)),
    ],
    "kernels.batch_norm_update_running": [
        *not_floating_arrays("running_mean", C3, update),
        *not_floating_arrays("running_var", C3, lambda bad: update(running_var=bad)),
        *not_floating_arrays("mean", C3, lambda bad: update(mean=bad)),
        *not_floating_arrays("var", C3, lambda bad: update(var=bad)),
        wrong("running_mean of rank 2", lambda: update(C3[None]), ValueError, "running_mean must have 1 dimensions"),
        wrong("running_var of wrong length", lambda: update(running_var=C4), ValueError, "running_var must have shape"),
        wrong("mean of wrong length", lambda: update(mean=C4), ValueError, "mean must have shape", "(4,)"),
        wrong("var of wrong length", lambda: update(var=C4), ValueError, "var must have shape", "(4,)"),
        wrong("running_mean read-only", lambda: update(read_only(C3)), ValueError, "running_mean", "read-only"),
        wrong("running_var read-only", lambda: update(C3, read_only(C3)), ValueError, "running_var", "read-only"),
        wrong("count one", lambda: update(count=1), ValueError, "count must be 0 or at least 2", "got 1"),
        wrong("count negative", lambda: update(count=-2), ValueError, "count must be 0 or at least 2", "got -2"),
        *not_integers("count", lambda bad: update(count=bad)),
        *not_reals("momentum", lambda bad: update(momentum=bad)),
    ],
    "kernels.batch_norm_forward_steps": [
        *images(lambda bad: kernels.batch_norm_forward_steps(bad, C3, C3)),
        *per_channel("weight", lambda bad: kernels.batch_norm_forward_steps(X, bad, C3), optional=True),
        *per_channel("bias", lambda bad: kernels.batch_norm_forward_steps(X, C3, bad), optional=True),
        *training_eps(lambda bad: kernels.batch_norm_forward_steps(X, C3, C3, bad)),
        *one_value(lambda x: kernels.batch_norm_forward_steps(x, C3, C3)),
        wrong("empty batch", lambda: kernels.batch_norm_forward_steps(X[:0], C3, C3), ValueError, ONE_VALUE),
    ],
    "kernels.batch_norm_backward_steps": [
        *grad_outputs(lambda bad: kernels.batch_norm_backward_steps(bad, kernels.batch_norm_forward_steps(X, C3, C3))),
        wrong(
            "steps None",
            lambda: kernels.batch_norm_backward_steps(X, None),
            TypeError,
            "steps must be a BatchNormSteps, got NoneType",
        ),
    ],
    "kernels.local_response_norm": [
        *not_floating_arrays("x", LRN_X, lambda bad: kernels.local_response_norm(bad, 3), alone=True),
        wrong(
            "x of rank 2", lambda: kernels.local_response_norm(zeros(2, 4), 3), ValueError, "x must have 4", "(2, 4)"
        ),
        *lrn_constants(lambda **constants: kernels.local_response_norm(LRN_X, **constants)),
    ],
    "kernels.local_response_norm_backward": [
        *not_floating_arrays("grad_output", LRN_X, lrn_backward),
        *not_floating_arrays("x", LRN_X, lambda bad: lrn_backward(x=bad)),
        *not_floating_arrays("scale", LRN_X, lambda bad: lrn_backward(scale=bad)),
        wrong("x of rank 3", lambda: lrn_backward(x=LRN_X[0]), ValueError, "x must have 4 dimensions", "(4, 3, 3)"),
        wrong("grad_output of wrong shape", lambda: lrn_backward(LRN_X[:1]), ValueError, "grad_output must have shape"),
        wrong("scale of wrong shape", lambda: lrn_backward(scale=LRN_X[:1]), ValueError, "scale must have shape"),
        *lrn_constants(lrn_backward),
    ],
}
