"""Mistakes in optimizers."""

from ..mutation import mistakes

UPDATE = "kernels.reference.update"
FAST = "kernels.cpu.update"

MUTANTS = [
    *mistakes(
        f"{UPDATE}:_with_weight_decay",
        ("weight decay applied twice", "grad + weight_decay", "grad + 2 * weight_decay"),
        rows=["SGD"],
    ),
    *mistakes(
        f"{UPDATE}:sgd_update",
        ("first momentum dampened", "momentum_buffer[...] = grad", "momentum_buffer[...] = (1 - dampening) * grad"),
        ("Nesterov without the look-ahead", "grad + momentum * momentum_buffer", "momentum_buffer"),
        ("maximize descends", "-grad if maximize", "grad if maximize"),
        rows=["SGD"],
    ),
    *mistakes(
        f"{UPDATE}:rmsprop_update",
        ("centered variance forgets the mean", "square_avg - grad_avg * grad_avg", "square_avg"),
        rows=["RMSprop"],
    ),
    *mistakes(
        f"{UPDATE}:_adam_step",
        ("second moment not corrected for its bias", "denominator /= (1 - beta2**step) ** 0.5", "denominator /= 1"),
        ("eps inside the root", "denominator = xp.sqrt(second_moment)", "denominator = xp.sqrt(second_moment + eps)"),
        ("first moment not corrected for its bias", "lr / (1 - beta1**step)", "lr"),
        rows=["Adam"],
    ),
    *mistakes(
        f"{UPDATE}:adamw_update",
        ("AdamW's decay without the learning rate", "*= 1 - lr * weight_decay", "*= 1 - weight_decay"),
        rows=["AdamW"],
    ),
    *mistakes(
        f"{FAST}:_sgd",
        ("compiled: Nesterov without the look-ahead", "g + momentum * b if", "b if"),
        ("compiled: first momentum dampened", "b = g if first_step", "b = undampened * g if first_step"),
        ("compiled: only the first block of a parameter", "start += size", "start = stop"),
        rows=["SGD"],
        tests=["kernels.test_update_all:test_every_block_is_updated"],
    ),
    *mistakes(
        f"{FAST}:_rmsprop",
        ("compiled: momentum outside the learning rate", "parameter[i] -= lr * b", "parameter[i] -= b"),
        rows=["RMSprop"],
    ),
    *mistakes(
        f"{FAST}:_adam",
        ("compiled: AMSGrad forgets the largest", "m if m > square[i]", "m if m < square[i]"),
        (
            "compiled: no decoupled decay",
            "parameter[i] * shrink + step_size",
            "parameter[i] + step_size",
        ),
        rows=["Adam", "AdamW"],
    ),
]
