"""The inner loop of every matrix product: a tile of the result that stays in the processor's registers.

    C[r, v] += sum over t < outer, k < inner of A[rows[r] + outer_a[t] + k * step_a] * B[outer_b[t] + k * step_b + v]

for `rows` many r and `columns` many v at once. One element of A is multiplied with a whole vector of B, so B must be
contiguous along v; A may lie anywhere, which is what lets a convolution read its windows in place: r counts pixels, t
the lines of the kernel, k its columns and channels. The tile is as large as the registers allow, because each step
loads rows + columns numbers and multiplies rows * columns of them: Goto and van de Geijn, "Anatomy of High-Performance
Matrix Multiplication" (2008), section 6; Lam, Rothberg and Wolf (1991) on register blocking.

Compilers do not find this arrangement by themselves, so `make_tile` writes it down in LLVM's language, in which a
vector is a type; the loops over r and v below are unrolled because Python runs them while it generates the code.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..workspace import LINE
from .vectors import INT64, VECTOR_BYTES, Vectors, integer_constant

__all__ = ["make_tile"]

UNROLL = 4  # steps of k between two tests of the loop's end


def make_tile(rows, vectors, adjacent=False, ending=False, ahead=0, next_lines=0):
    """The tile of `rows` x `vectors` vectors as a function for compiled code.

    adjacent: whether the rows of A lie side by side, row r at rows[0] + r. It spares the registers of their addresses.
    ending: whether the tile takes the two last arguments, with which C becomes max(floor, bias[v] + the sum).
    next_lines: how many lines of the cache of each row of the next tile, at rows[first + rows + r], are asked for.
    ahead: for how many steps of k ahead A and B are asked for; 0 where they are in the cache already.

    tile(a, rows, first, outer_a, step_a, b, outer_b, step_b, outer, inner, c, targets, columns, accumulate
         [, bias, floor]):
        a, b, c: contiguous arrays of one dtype, float32 or float64.
        rows, targets: int64, where each row of the tile begins in `a` and in `c`: row r at rows[first + r]. Rows may
            repeat.
        outer_a, outer_b: int64, offsets for each t. step_a, step_b: from k to k + 1.
        columns: how many columns of B and C there are; nothing beyond them is touched.
        accumulate: whether to add to `c` or to overwrite it.
        bias: an array with a number for each column. floor: a number, minus infinity for none.
    """
    names = "a row first outer_a step_a b outer_b step_b outer inner c target columns accumulate".split()
    names += ["bias", "floor"] if ending else []

    def generate(context, builder, signature, arguments):
        kinds = dict(zip(names, signature.args, strict=True))
        given = dict(zip(names, arguments, strict=True))

        def data(name):
            return context.make_array(kinds[name])(context, builder, given[name]).data

        def integer(name):
            return context.cast(builder, given[name], kinds[name], types.int64)

        a, b, c = data("a"), data("b"), data("c")
        step_a, step_b = integer("step_a"), integer("step_b")
        number = context.get_value_type(kinds["c"].dtype)
        vector = Vectors(builder, number, vectors, integer("columns"))
        entries = [builder.add(integer("first"), integer_constant(r)) for r in range(rows)]
        row_of_a, row_of_c = (
            [builder.gep(base, [builder.load(builder.gep(table, [entry]))]) for entry in entries]
            for base, table in ((a, data("row")), (c, data("target")))
        )
        if adjacent:
            row_of_a = [builder.gep(row_of_a[0], [integer_constant(r)]) for r in range(rows)]
        # LLVM turns these variables, which live on the stack only in name, into registers.
        sums = [[cgutils.alloca_once(builder, vector.type) for _ in range(vectors)] for _ in range(rows)]
        begin = [vector.load(data("bias"), v) if ending else vector.zero for v in range(vectors)]
        for r in range(rows):
            for v in range(vectors):
                builder.store(begin[v], sums[r][v])

        add = context.cast(builder, given["accumulate"], kinds["accumulate"], types.boolean)
        add = builder.icmp_unsigned("!=", add, ir.Constant(add.type, 0))
        for r in range(rows):  # C comes into the cache while the sums are made
            for v in range(vectors):
                vector.prefetch(row_of_c[r], v * VECTOR_BYTES, to_write=True)
        for r in range(rows if next_lines else 0):
            after = builder.load(builder.gep(data("row"), [builder.add(entries[r], integer_constant(rows))]))
            for line in range(next_lines):
                vector.prefetch(builder.gep(a, [after]), line * LINE, to_write=False)

        def step(at_a, at_b):
            from_b = builder.gep(b, [at_b])
            if ahead:
                later = builder.gep(from_b, [builder.mul(step_b, integer_constant(ahead))])
                for v in range(vectors):
                    vector.prefetch(later, v * VECTOR_BYTES, to_write=False)
                later = builder.gep(row_of_a[0], [builder.add(at_a, builder.mul(step_a, integer_constant(ahead)))])
                vector.prefetch(later, 0, to_write=False)
            parts = [vector.load(from_b, v) for v in range(vectors)]
            for r in range(rows):
                element = vector.splat(builder.load(builder.gep(row_of_a[r], [at_a])))
                for v in range(vectors):
                    total = vector.multiply_add(element, parts[v], builder.load(sums[r][v]))
                    builder.store(total, sums[r][v])

        def steps(times, at_a, at_b, count):
            with cgutils.for_range(builder, times):
                k_a, k_b = builder.load(at_a), builder.load(at_b)
                for _ in range(count):
                    step(k_a, k_b)
                    k_a, k_b = builder.add(k_a, step_a), builder.add(k_b, step_b)
                builder.store(k_a, at_a)
                builder.store(k_b, at_b)

        outer_a, outer_b, inner = data("outer_a"), data("outer_b"), integer("inner")
        at_a, at_b = cgutils.alloca_once(builder, INT64), cgutils.alloca_once(builder, INT64)
        with cgutils.for_range(builder, integer("outer")) as loop:
            builder.store(builder.load(builder.gep(outer_a, [loop.index])), at_a)
            builder.store(builder.load(builder.gep(outer_b, [loop.index])), at_b)
            steps(builder.sdiv(inner, integer_constant(UNROLL)), at_a, at_b, UNROLL)
            steps(builder.srem(inner, integer_constant(UNROLL)), at_a, at_b, 1)

        with builder.if_then(add):
            for r in range(rows):
                for v in range(vectors):
                    before = vector.load(row_of_c[r], v)
                    builder.store(builder.fadd(before, builder.load(sums[r][v])), sums[r][v])
        if ending:
            floor = vector.splat(context.cast(builder, given["floor"], kinds["floor"], kinds["c"].dtype))
        for r in range(rows):
            for v in range(vectors):
                total = builder.load(sums[r][v])
                vector.store(vector.at_least(floor, total) if ending else total, row_of_c[r], v)
        return context.get_dummy_value()

    @intrinsic
    def tile(context, a, row, first, outer_a, step_a, b, outer_b, step_b, outer, inner, c, target, columns, accumulate):
        arguments = (a, row, first, outer_a, step_a, b, outer_b, step_b, outer, inner, c, target, columns, accumulate)
        return types.void(*arguments), generate

    @intrinsic
    def ending_tile(
        context, a, row, first, outer_a, step_a, b, outer_b, step_b, outer, inner, c, target, columns, accumulate, bias,
        floor,
    ):  # fmt: skip
        arguments = (a, row, first, outer_a, step_a, b, outer_b, step_b, outer, inner, c, target, columns, accumulate)
        return types.void(*arguments, bias, floor), generate

    return ending_tile if ending else tile
