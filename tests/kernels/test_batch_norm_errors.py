"""Wrong calls of the batch-norm kernels fail before any arithmetic, and say what is wrong."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minception.kernels.reference import batch_norm
from tests.compare import assert_close


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1)])
def test_one_value_per_channel_cannot_train_but_can_evaluate(shape):
    x, statistic = np.ones(shape), np.full(3, 0.25)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        F.batch_norm(torch.tensor(x), None, None, training=True)
    with pytest.raises(ValueError, match="batch_norm_train: Expected more than 1 value per channel when training"):
        batch_norm.batch_norm_train(x, None, None)
    output = batch_norm.batch_norm_eval(x, statistic, statistic, None, None)
    running = torch.tensor(statistic)
    assert_close(output, F.batch_norm(torch.tensor(x), running, running, training=False))


X = np.zeros((4, 3, 5, 2))
C3, C4 = np.ones(3), np.ones(4)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: batch_norm.batch_norm_train(C3, None, None), ValueError, "batch_norm_train: x must have at least 2"),
        (
            lambda: batch_norm.batch_norm_train(X, C4, None),
            ValueError,
            r"batch_norm_train: weight must have shape \(3,",
        ),
        (lambda: batch_norm.batch_norm_train(X, C3, C4), ValueError, r"batch_norm_train: bias must have shape \(3,"),
        (lambda: batch_norm.batch_norm_train(X, C3, C3, 0.0), ValueError, "eps must be positive during training"),
        (lambda: batch_norm.batch_norm_train(X, C3, C3, -1.0), ValueError, "eps must be positive during training"),
        (lambda: batch_norm.batch_norm_train(X, C3, C3, np.nan), ValueError, "eps must be positive during training"),
        (lambda: batch_norm.batch_norm_train(X.astype("f4"), C3, C3), TypeError, "x is float32, weight is float64"),
        (lambda: batch_norm.batch_norm_train(X.astype(int), None, None), TypeError, "x must be float32 or float64"),
        (lambda: batch_norm.batch_norm_train([[1.0], [2.0]], None, None), TypeError, "x must be an array, got list"),
        (lambda: batch_norm.batch_norm_eval(X, C4, C3, C3, C3), ValueError, "batch_norm_eval: running_mean must have"),
        (lambda: batch_norm.batch_norm_eval(X, C3, C4, C3, C3), ValueError, "batch_norm_eval: running_var must have"),
        (lambda: batch_norm.batch_norm_eval(X, C3.astype("f4"), C3, C3, C3), TypeError, "running_mean is float32"),
        (
            lambda: batch_norm.batch_norm_train_backward(X[:, :, :1], X, C3, C3, C3),
            ValueError,
            "batch_norm_train_backward: grad_output must have shape",
        ),
        (lambda: batch_norm.batch_norm_train_backward(X, X, C3, C4, C3), ValueError, "mean must have shape"),
        (lambda: batch_norm.batch_norm_train_backward(X, X, C3, C3, C4), ValueError, "var must have shape"),
        (
            lambda: batch_norm.batch_norm_train_backward(X.astype("f4"), X, C3, C3, C3),
            TypeError,
            "grad_output is float32",
        ),
        (
            lambda: batch_norm.batch_norm_eval_backward(X, X, C4, C3, C3),
            ValueError,
            "batch_norm_eval_backward: weight must have shape",
        ),
        (
            lambda: batch_norm.batch_norm_update_running(C3, C3, C3, C3, 1, 0.1),
            ValueError,
            "batch_norm_update_running: count must be 0 or at least 2",
        ),
        (lambda: batch_norm.batch_norm_update_running(C3, C3, C3, C3, 2.5, 0.1), TypeError, "count must be an integer"),
        (lambda: batch_norm.batch_norm_update_running(C3, C3, C4, C3, 2, 0.1), ValueError, "mean must have shape"),
        (lambda: batch_norm.batch_norm_update_running(X, C3, C3, C3, 2, 0.1), ValueError, "running_mean must have 1"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()
