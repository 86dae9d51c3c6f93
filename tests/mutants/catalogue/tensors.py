"""Mistakes in tensor operations."""

from ..mutation import mistakes

ARITHMETIC, ELEMENTWISE = "ops.arithmetic", "ops.elementwise"

MUTANTS = [
    *mistakes(
        "kernels.reference.arithmetic:concatenate_backward",
        ("every branch gets the first slice", "start += size", "start += 0"),
        ("branches get their slices in reverse", "return tuple(views)", "return tuple(views[::-1])"),
        rows=["concatenate"],
    ),
    *mistakes(
        "kernels.reference.arithmetic:scaled_add_backward",
        ("residual scale missing in backward", "asarray(scale * grad_output)", "asarray(grad_output)"),
        rows=["scaled_add"],
    ),
    *mistakes(
        "ops.broadcasting:unbroadcast",
        (
            "gradient of a broadcast operand averaged",
            "total(grad, repeated, keepdims=True)",
            "grad.mean(repeated, keepdims=True)",
        ),
        rows=["add, broadcast", "multiply"],
    ),
    *mistakes(
        f"{ARITHMETIC}:Subtract.backward",
        ("sign lost in subtraction", "-grad_output", "grad_output"),
        rows=["subtract"],
    ),
    *mistakes(
        f"{ARITHMETIC}:Divide.backward",
        ("sign lost in division", "-grad_a * (a / b)", "grad_a * (a / b)"),
        rows=["divide"],
    ),
    *mistakes(f"{ARITHMETIC}:Power.backward", ("exponent not reduced", "a ** (b - 1)", "a ** b"), rows=["power"]),
    *mistakes(
        f"{ARITHMETIC}:MatMul.backward",
        (
            "matrix not transposed back",
            "grad_output @ b.swapaxes(-1, -2)",
            "grad_output @ b.swapaxes(-1, -2)[..., ::-1]",
        ),
        rows=["matmul"],
    ),
    *mistakes(
        f"{ELEMENTWISE}:Extremum.backward",
        ("ties get the gradient twice", "grad_output / 2", "grad_output"),
        rows=["maximum"],
    ),
    *mistakes(
        f"{ELEMENTWISE}:Clip.backward", ("no gradient at the bound", "x >= self.low", "x > self.low"), rows=["clip"]
    ),
    *mistakes(
        f"{ELEMENTWISE}:Sqrt.backward",
        ("slope of the root without its 2, elementwise", "2 * self", "self"),
        rows=["sqrt"],
    ),
    *mistakes(
        f"{ELEMENTWISE}:Tanh.backward", ("slope of tanh from x", "self.saved.y**2", "self.saved.y"), rows=["tanh"]
    ),
    *mistakes(
        f"{ELEMENTWISE}:Sigmoid.forward",
        ("sigmoid overflows", "xp.exp(-xp.abs(x))", "xp.exp(-x) if True else 0"),
        rows=["sigmoid"],
    ),
    *mistakes("ops.reduction:Variance.forward", ("correction ignored", "count - correction", "count"), rows=["var"]),
    *mistakes(
        "ops.reduction:Variance.forward",
        ("rounding of the mean ignored in var", "centred -= total(centred", "centred -= 0 * total(centred"),
        rows=["var"],
    ),
    *mistakes(
        "ops.reduction:Amax.backward",
        ("all ties get the whole gradient", "/ chosen.sum(axis=self.axes, keepdims=True)", "/ 1"),
        rows=["amax"],
    ),
    *mistakes(
        "ops.shape:Slice.backward",
        ("elements named twice count once", "xp.add.at(grad, index, grad_output)", "grad[index] = grad_output"),
        rows=["index"],
    ),
    *mistakes(
        "ops.shape:Pad.backward",
        (
            "gradient cut from the front",
            "grad_output[self.middle]",
            "grad_output[tuple(slice(0, s.stop - s.start) for s in self.middle)]",
        ),
        rows=["pad"],
    ),
    *mistakes(
        "ops.shape:Permute.forward",
        ("axes not inverted", "tuple(axes.index(axis) for axis in range(len(axes)))", "axes"),
        rows=["permute"],
    ),
]
