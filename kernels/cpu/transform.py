"""Constant matrices times small squares of numbers, on both sides: the transformations of `winograd.py`."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .vectors import Vectors, integer_constant

__all__ = ["make_transform"]


def make_transform(matrix, ending=False):
    """Y = M X M' for squares X of numbers, one square for each of up to one vector of channels, as a compiled function.

    matrix: M as nested lists of p rows and q columns. The sums are written out; zeros and ones cost nothing.

    ending: whether the function takes the three last arguments.

    transform(source, at, row, column, target, base, places, columns, accumulate[, bias, first, floor]):
        X[i, j] is the vector at source[at + i * row + j * column], i and j < q.
        Y[i, j] goes to target[base + places[i * p + j]], i and j < p; nowhere if that place is negative.
        columns: how many channels there are; a vector at most. accumulate: whether to add to what is there.
        bias, first, floor: Y becomes max(floor, bias[first + channel] + Y).
    """
    p, q = len(matrix), len(matrix[0])

    def combine(vector, coefficients, terms):
        """The sum of coefficient * term."""
        builder, total = vector.builder, vector.zero
        used = [(c, t) for c, t in zip(coefficients, terms, strict=True) if c]
        used.sort(key=lambda pair: abs(pair[0]) != 1)  # begin with a plain copy where there is one
        for number, (coefficient, term) in enumerate(used):
            if coefficient == 1:
                total = builder.fadd(total, term) if number else term
            elif coefficient == -1:
                total = builder.fsub(total, term)
            else:
                total = vector.multiply_add(ir.Constant(vector.type, [float(coefficient)] * vector.lanes), term, total)
        return total

    def generate(context, builder, signature, arguments):
        source, target, places = (
            context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 4, 6)
        )
        at, row, column, base, columns = (
            context.cast(builder, arguments[i], signature.args[i], types.int64) for i in (1, 2, 3, 5, 7)
        )
        add = context.cast(builder, arguments[8], signature.args[8], types.boolean)
        add = builder.icmp_unsigned("!=", add, ir.Constant(add.type, 0))
        vector = Vectors(builder, context.get_value_type(signature.args[4].dtype), 1, columns)
        if ending:
            bias = context.make_array(signature.args[9])(context, builder, arguments[9]).data
            first = context.cast(builder, arguments[10], signature.args[10], types.int64)
            bias = vector.load(builder.gep(bias, [first]), 0)
            floor = vector.splat(context.cast(builder, arguments[11], signature.args[11], signature.args[4].dtype))

        def position(i, j):
            lines = builder.add(at, builder.mul(row, integer_constant(i)))
            return builder.add(lines, builder.mul(column, integer_constant(j)))

        x = [[vector.load(builder.gep(source, [position(i, j)]), 0) for j in range(q)] for i in range(q)]
        half = [[combine(vector, matrix[i], [x[k][j] for k in range(q)]) for j in range(q)] for i in range(p)]
        for i in range(p):
            for j in range(p):
                y = combine(vector, matrix[j], half[i])
                if ending:
                    y = vector.at_least(floor, builder.fadd(bias, y))
                place = builder.load(builder.gep(places, [integer_constant(i * p + j)]))
                with builder.if_then(builder.icmp_signed(">=", place, integer_constant(0))):
                    pointer = builder.gep(target, [builder.add(base, place)])
                    with builder.if_else(add) as (added, written):
                        with added:
                            vector.store(builder.fadd(vector.load(pointer, 0), y), pointer, 0)
                        with written:
                            vector.store(y, pointer, 0)
        return context.get_dummy_value()

    @intrinsic
    def transform(context, source, at, row, column, target, base, places, columns, accumulate):
        return types.void(source, at, row, column, target, base, places, columns, accumulate), generate

    @intrinsic
    def ending_transform(
        context, source, at, row, column, target, base, places, columns, accumulate, bias, first, floor
    ):
        arguments = (source, at, row, column, target, base, places, columns, accumulate, bias, first, floor)
        return types.void(*arguments), generate

    return ending_transform if ending else transform
