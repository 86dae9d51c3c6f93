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

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "FEW_ROWS", "LINE", "ROWS", "Vectors", "ask_for", "copy_columns", "integer_constant", "lanes", "make_tile",
    "make_transform",
]  # fmt: skip

LINE = 64  # bytes of a line of the cache

UNROLL = 4  # steps of k between two tests of the loop's end
INT64, INT32 = ir.IntType(64), ir.IntType(32)


def _features():
    try:
        return binding.get_host_cpu_features()
    except RuntimeError:  # unknown to LLVM
        return {}


def _register_file():
    """(bytes of a vector register, rows of a tile, rows of a small tile) of this processor."""
    features = _features()
    if features.get("avx512f"):
        return 64, 12, 8  # 32 registers: 24 sums, 2 vectors of B, one element of A in all lanes
    if features.get("avx2"):
        return 32, 6, 4  # 16 registers
    return 16, 6, 4


VECTOR_BYTES, ROWS, FEW_ROWS = _register_file()


def lanes(dtype):
    """Numbers of a dtype in a vector register; a tile is two vectors wide."""
    return VECTOR_BYTES // dtype.itemsize


def integer_constant(value):
    return ir.Constant(INT64, value)


class Vectors:
    """Generates code for vectors of one type of number, of which only the first `columns` lanes may be touched."""

    def __init__(self, builder, number, count, columns):
        self.builder = builder
        self.bytes = 4 if isinstance(number, ir.FloatType) else 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.type = ir.VectorType(number, self.lanes)
        self.zero = ir.Constant(self.type, [0.0] * self.lanes)
        self.suffix = f"v{self.lanes}f{8 * self.bytes}"
        self.masks = [self._mask(columns, part) for part in range(count)]

    def _mask(self, columns, part):
        """Which lanes of vector `part` are among the first `columns` of the tile."""
        positions = ir.Constant(ir.VectorType(INT64, self.lanes), [part * self.lanes + i for i in range(self.lanes)])
        return self.builder.icmp_signed("<", positions, self.splat(columns))

    def splat(self, scalar):
        """A vector that holds the scalar in every lane."""
        kind = ir.VectorType(scalar.type, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        )

    def _call(self, name, result, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    def multiply_add(self, a, b, c):
        """a * b + c, rounded once."""
        return self._call(f"llvm.fma.{self.suffix}", self.type, a, b, c)

    def at_least(self, floor, a):
        """The larger of `floor` and `a` in each lane; NaN stays NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, floor), floor, a)

    def _at(self, pointer, part):
        pointer = self.builder.gep(pointer, [integer_constant(part * self.lanes)])
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def load(self, pointer, part):
        align = ir.Constant(INT32, self.bytes)
        name = f"llvm.masked.load.{self.suffix}.p0"
        return self._call(name, self.type, self._at(pointer, part), align, self.masks[part], self.zero)

    def prefetch(self, pointer, ahead, to_write):
        """Ask for the line of the cache that is `ahead` bytes after the pointer."""
        byte = ir.IntType(8).as_pointer()
        address = self.builder.gep(self.builder.bitcast(pointer, byte), [integer_constant(ahead)])
        numbers = [ir.Constant(INT32, number) for number in (int(to_write), 2, 1)]  # into the second level, data
        self._call("llvm.prefetch.p0", ir.VoidType(), address, *numbers)

    def store(self, vector, pointer, part):
        align = ir.Constant(INT32, self.bytes)
        name = f"llvm.masked.store.{self.suffix}.p0"
        self._call(name, ir.VoidType(), vector, self._at(pointer, part), align, self.masks[part])


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


@intrinsic
def copy_columns(context, source, at_source, target, at_target, columns):
    """In compiled code: target[at_target + v] = source[at_source + v] for v < columns, at most two vectors.

    For many short pieces: a loop over each would cost more than what it copies.
    """

    def generate(context, builder, signature, arguments):
        arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2)]
        integers = [context.cast(builder, arguments[i], signature.args[i], types.int64) for i in (1, 3, 4)]
        vector = Vectors(builder, context.get_value_type(signature.args[2].dtype), 2, integers[2])
        begin, end = (builder.gep(array, [at]) for array, at in zip(arrays, integers[:2], strict=True))
        loaded = [vector.load(begin, part) for part in range(2)]
        for part in range(2):
            vector.store(loaded[part], end, part)
        return context.get_dummy_value()

    return types.void(source, at_source, target, at_target, columns), generate


@intrinsic
def ask_for(context, array, place):
    """In compiled code: array[place] comes into the second-level cache meanwhile. It may lie beyond the array's end."""

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        place = context.cast(builder, arguments[1], signature.args[1], types.int64)
        pointer = builder.gep(context.make_array(kind)(context, builder, arguments[0]).data, [place])
        vector = Vectors(builder, context.get_value_type(kind.dtype), 0, integer_constant(0))
        vector.prefetch(pointer, 0, to_write=False)
        return context.get_dummy_value()

    return types.void(array, place), generate


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
