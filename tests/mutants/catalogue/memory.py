"""Mistakes that only show where arrays lie in memory in another way, or are used again afterwards."""

from ..mutation import mistakes

MUTANTS = [
    *mistakes(
        "kernels.cpu.rows:flat_view",
        ("channels-last read in row-major order", "x.transpose(order).reshape(-1)", "x.reshape(-1)"),
        rows=["relu"],
    ),
    *mistakes(
        "kernels.cpu.arithmetic:add",
        ("fast: operands of different layouts added in memory order", "x.strides != y.strides", "False"),
        rows=["add"],
    ),
    *mistakes(
        "ops.arithmetic:Subtract.backward",
        ("gradient of the output overwritten", "(-grad_output,", "(np.negative(grad_output, out=grad_output),"),
        rows=["subtract"],
    ),
    *mistakes(
        "kernels.reference.softmax:shifted",
        (
            "input overwritten",
            "x - x.max(axis=axis, keepdims=True)",
            "array_module(x).subtract(x, x.max(axis=axis, keepdims=True), out=x)",
        ),
        rows=["softmax"],
    ),
]
