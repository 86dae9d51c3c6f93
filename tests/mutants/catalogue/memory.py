"""Mistakes that only show where arrays lie in memory in another way, or are used again afterwards."""

from ..mutation import mistakes

MUTANTS = [
    *mistakes(
        "kernels.cpu.rows:flat_view",
        ("channels-last read in row-major order", "x.transpose(order).reshape(-1)", "x.reshape(-1)"),
        tests=["kernels.test_activation:test_relu_of_images_in_either_order_in_memory"],
    ),
    *mistakes(
        "kernels.cpu.arithmetic:_flat",
        ("fast: operands of different layouts added in memory order", "x.strides != y.strides", "False"),
        rows=["add", "scaled_add"],
    ),
    *mistakes(
        "kernels.cpu.arithmetic:_join",
        ("compiled: gaps between the rows read", "r * steps[a], size, out", "r * channels[a], size, out"),
        ("compiled: each part begins at the start", "place = start * channels.sum()", "place = 0"),
        tests=["kernels.test_arithmetic:test_slices_of_channels_are_joined_where_they_lie"],
    ),
    *mistakes(
        "kernels.cpu.activation:_mask_rows",
        ("compiled: gaps in the gradient read", "r * step : r * step +", "r * channels : r * channels +"),
        tests=["kernels.test_activation:test_relu_passes_a_gradient_that_is_a_slice_of_channels"],
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
