"""The processor's vector registers, as intrinsics use them.

In LLVM's language, in which intrinsics are written, a vector is a type.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "FEW_ROWS", "INT32", "INT64", "ROWS", "VECTOR_BYTES", "Vectors", "ask_for", "copy_columns", "integer_constant",
    "lanes",
]  # fmt: skip

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
