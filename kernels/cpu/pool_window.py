"""The inner loops of pooling: one window, all channels, sums and maxima in registers.

A window is a grid of rows x columns numbers in memory. A *walk* (start, row_step, column_step) says where they are:
number (a, b) is start + a * row_step + b * column_step. The forward pass walks over the pixels of a window, the
backward pass over the windows that contain a pixel; so the loops below are one walk with four ways to add up.

As in `tile.py`, LLVM's vectors are written down here, because compilers do not keep the sums in registers from one
number of the walk to the next.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .arguments import Arguments
from .vectors import Vectors, integer_constant

__all__ = ["gradient_of_maximum", "gradient_of_mean", "maximum", "mean"]

WIDE = 4  # vectors of channels at a time: enough independent comparisons to keep the processor busy
NARROW = 2  # of the channels that are left; of one that is beyond them no lane is touched
AHEAD = 2048  # bytes from where the windows are to the memory that is asked for; see `depthwise_square.py`
INT64, INT32 = ir.IntType(64), ir.IntType(32)


class _Channels(Vectors):
    """`Vectors` that also load and store integers, one for each lane."""

    def _integers_at(self, kind, pointer, part):
        vector = ir.VectorType(kind, self.lanes)
        pointer = self.builder.gep(pointer, [integer_constant(part * self.lanes)])
        return vector, self.builder.bitcast(pointer, vector.as_pointer()), ir.Constant(INT32, kind.width // 8)

    def load_integers(self, kind, pointer, part):
        vector, pointer, align = self._integers_at(kind, pointer, part)
        name = f"llvm.masked.load.v{self.lanes}i{kind.width}.p0"
        return self._call(name, vector, pointer, align, self.masks[part], ir.Constant(vector, None))

    def store_integers(self, integers, kind, pointer, part):
        """Store 32-bit integers as integers of the given kind."""
        vector, pointer, align = self._integers_at(kind, pointer, part)
        if kind.width < 32:
            integers = self.builder.trunc(integers, vector)
        name = f"llvm.masked.store.v{self.lanes}i{kind.width}.p0"
        self._call(name, ir.VoidType(), integers, pointer, align, self.masks[part])


class _Window(Arguments):
    """The loops over channels and over the walks."""

    def pointer(self, name, *indices):
        """To the element of an array whose number is the sum of the indices."""
        index = indices[0]
        for more in indices[1:]:
            index = self.builder.add(index, more)
        return self.builder.gep(self.data(name), [index])

    def for_channels(self, body):
        """Generate body(vectors, how many of them, first channel) for all channels: `WIDE` at a time, then `NARROW`."""
        builder, channels = self.builder, self.integer("channels")
        lanes = Vectors(builder, self.number("out"), 0, channels).lanes
        wide = integer_constant(WIDE * lanes)
        end = builder.mul(builder.sdiv(channels, wide), wide)
        with cgutils.for_range_slice(builder, integer_constant(0), end, wide) as (channel, _):
            body(_Channels(builder, self.number("out"), WIDE, wide), WIDE, channel)
        with cgutils.for_range_slice(builder, end, channels, integer_constant(NARROW * lanes)) as (channel, _):
            body(_Channels(builder, self.number("out"), NARROW, builder.sub(channels, channel)), NARROW, channel)

    def walk(self, names, body, after_row=None):
        """Generate body(*numbers) for all numbers of several walks side by side, row by row."""
        builder = self.builder
        walks = [cgutils.unpack_tuple(builder, self.values[name], 3) for name in names]
        rows = [cgutils.alloca_once_value(builder, start) for start, _, _ in walks]
        places = [cgutils.alloca_once(builder, INT64) for _ in walks]
        with cgutils.for_range(builder, self.integer("rows")):
            for row, place, (_, step, _) in zip(rows, places, walks, strict=True):
                start = builder.load(row)
                builder.store(start, place)
                builder.store(builder.add(start, step), row)
            with cgutils.for_range(builder, self.integer("columns")):
                numbers = [builder.load(place) for place in places]
                for number, place, (_, _, step) in zip(numbers, places, walks, strict=True):
                    builder.store(builder.add(number, step), place)
                body(*numbers)
            if after_row is not None:
                after_row()

    def last(self, name):
        """The last number of a walk."""
        builder = self.builder
        start, row_step, column_step = cgutils.unpack_tuple(builder, self.values[name], 3)
        for size, step in (("rows", row_step), ("columns", column_step)):
            steps = builder.sub(self.integer(size), integer_constant(1))
            start = builder.add(start, builder.mul(steps, step))
        return start

    def first(self, name):
        return cgutils.unpack_tuple(self.builder, self.values[name], 3)[0]

    def ask(self, vector, count, name, *indices, to_write=False):
        """Have `count` vectors of an array brought into the cache, `AHEAD` bytes after the indices."""
        pointer = self.pointer(name, *indices)
        size = self.context.get_abi_sizeof(pointer.type.pointee) * vector.lanes
        for line in range(0, count * size, 64):
            vector.prefetch(pointer, AHEAD + line, to_write)

    def variables(self, count, initial):
        """Vectors that LLVM keeps in registers, though they are written as memory."""
        made = [cgutils.alloca_once(self.builder, initial.type) for _ in range(count)]
        for variable in made:
            self.builder.store(initial, variable)
        return made


@intrinsic
def ask_for_line(context, array, index):
    """Have the line of the cache with this element brought into the second level. Beyond the array: nothing."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        number = context.get_value_type(signature.args[0].dtype)
        vector = Vectors(builder, number, 0, integer_constant(0))
        vector.prefetch(builder.gep(data, [values[1]]), 0, to_write=False)
        return context.get_dummy_value()

    return types.void(array, index), generate


@intrinsic
def maximum(context, source, pixel, tap, rows, columns, channels, out, taps, target):
    """out[target + c] = the largest source[pixel + c] over the walks `pixel` and `tap`; taps[target + c] = its tap.

    The first of equal ones; a NaN replaces anything, and is replaced only by a NaN. Of no pixels, or if none is above
    -inf: -inf and the first tap.
    """

    def generate(context, builder, signature, values):
        names = "source pixel tap rows columns channels out taps target"
        window = _Window(names, context, builder, signature, values)
        target, kind = window.integer("target"), context.get_value_type(window.kinds["taps"].dtype)
        first_tap = cgutils.unpack_tuple(builder, window.values["tap"], 3)[0]

        def block(vector, count, channel):
            best = window.variables(count, ir.Constant(vector.type, [float("-inf")] * vector.lanes))
            where = window.variables(count, vector.splat(builder.trunc(first_tap, INT32)))

            def compare(pixel, tap):
                source, tap = window.pointer("source", pixel, channel), vector.splat(builder.trunc(tap, INT32))
                for v in range(count):
                    value, before = vector.load(source, v), builder.load(best[v])
                    better = builder.fcmp_ordered(">", value, before)
                    better = builder.or_(better, builder.fcmp_unordered("uno", value, value))  # PyTorch's rule
                    builder.store(builder.select(better, value, before), best[v])
                    builder.store(builder.select(better, tap, builder.load(where[v])), where[v])

            window.walk(["pixel", "tap"], compare)
            window.ask(vector, count, "out", target, channel, to_write=True)
            window.ask(vector, count, "taps", target, channel, to_write=True)
            for v in range(count):
                vector.store(builder.load(best[v]), window.pointer("out", target, channel), v)
                vector.store_integers(builder.load(where[v]), kind, window.pointer("taps", target, channel), v)

        window.for_channels(block)
        return context.get_dummy_value()

    return types.void(source, pixel, tap, rows, columns, channels, out, taps, target), generate


@intrinsic
def gradient_of_maximum(context, grad, place, taps, record, tap, rows, columns, channels, out, target):
    """out[target + c] = the sum of grad[place + c] where taps[record + c] == tap, over the walks place, record, tap."""

    def generate(context, builder, signature, values):
        names = "grad place taps record tap rows columns channels out target"
        window = _Window(names, context, builder, signature, values)
        target, kind = window.integer("target"), context.get_value_type(window.kinds["taps"].dtype)

        def block(vector, count, channel):
            sums = window.variables(count, vector.zero)

            def add(place, record, tap):
                grad, taps = window.pointer("grad", place, channel), window.pointer("taps", record, channel)
                tap = vector.splat(builder.trunc(tap, kind) if kind.width < 64 else tap)
                for v in range(count):
                    chosen = builder.icmp_unsigned("==", vector.load_integers(kind, taps, v), tap)
                    share = builder.select(chosen, vector.load(grad, v), vector.zero)
                    builder.store(builder.fadd(builder.load(sums[v]), share), sums[v])

            window.walk(["place", "record", "tap"], add)
            window.ask(vector, count, "grad", window.first("place"), channel)  # walks go back: the newest are first
            window.ask(vector, count, "taps", window.first("record"), channel)
            window.ask(vector, count, "out", target, channel, to_write=True)
            for v in range(count):
                vector.store(builder.load(sums[v]), window.pointer("out", target, channel), v)

        window.for_channels(block)
        return context.get_dummy_value()

    return types.void(grad, place, taps, record, tap, rows, columns, channels, out, target), generate


@intrinsic
def mean(context, source, pixel, rows, columns, channels, divisor, out, target):
    """out[target + c] = the sum of source[pixel + c] over the walk, divided by the divisor, a number of its dtype.

    Each row is added up by itself: the rounding error grows with rows + columns, not with their product.
    """

    def generate(context, builder, signature, values):
        names = "source pixel rows columns channels divisor out target"
        window = _Window(names, context, builder, signature, values)
        target = window.integer("target")

        def block(vector, count, channel):
            sums, row = window.variables(count, vector.zero), window.variables(count, vector.zero)
            divisor = vector.splat(window.values["divisor"])

            def add(pixel):
                source = window.pointer("source", pixel, channel)
                for v in range(count):
                    builder.store(builder.fadd(builder.load(row[v]), vector.load(source, v)), row[v])

            def add_row():
                for v in range(count):
                    builder.store(builder.fadd(builder.load(sums[v]), builder.load(row[v])), sums[v])
                    builder.store(vector.zero, row[v])

            window.walk(["pixel"], add, add_row)
            window.ask(vector, count, "source", window.last("pixel"), channel)
            window.ask(vector, count, "out", target, channel, to_write=True)
            for v in range(count):
                average = builder.fdiv(builder.load(sums[v]), divisor)
                vector.store(average, window.pointer("out", target, channel), v)

        window.for_channels(block)
        return context.get_dummy_value()

    return types.void(source, pixel, rows, columns, channels, divisor, out, target), generate


@intrinsic
def gradient_of_mean(context, grad, place, shares, share, rows, columns, channels, out, target):
    """out[target + c] = the sum of grad[place + c] * shares[share] over the walks `place` and `share`."""

    def generate(context, builder, signature, values):
        names = "grad place shares share rows columns channels out target"
        window = _Window(names, context, builder, signature, values)
        target = window.integer("target")

        def block(vector, count, channel):
            sums = window.variables(count, vector.zero)

            def add(place, share):
                grad, share = window.pointer("grad", place, channel), builder.load(window.pointer("shares", share))
                share = vector.splat(share)
                for v in range(count):
                    total = vector.multiply_add(vector.load(grad, v), share, builder.load(sums[v]))
                    builder.store(total, sums[v])

            window.walk(["place", "share"], add)
            window.ask(vector, count, "grad", window.first("place"), channel)
            window.ask(vector, count, "out", target, channel, to_write=True)
            for v in range(count):
                vector.store(builder.load(sums[v]), window.pointer("out", target, channel), v)

        window.for_channels(block)
        return context.get_dummy_value()

    return types.void(grad, place, shares, share, rows, columns, channels, out, target), generate
