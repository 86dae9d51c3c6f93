"""Depthwise convolution by kernels of 3x3 at stride 1, the usual ones: images are read where they are, once.

A tile of outputs, `LINES` x `PIXELS` of them, sees a square of inputs that is two pixels wider and higher. Each input
is loaded once for all outputs of the tile that see it, a vector of channels at a time, while their sums stay in
registers. Inputs outside the image are read from a line of zeros, outputs outside it are written to a line that nobody
reads, so that borders need no code of their own.

The gradient of the weights goes over the same tiles: each input is multiplied with the gradients of all outputs that
see it, and the nine sums stay in registers instead.
"""

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .arguments import Arguments
from .compile import compiled
from .parallel import count_parts, run
from .vectors import Vectors, integer_constant
from .windows import pixels_of

__all__ = [
    "LINES", "MADE", "PIXELS", "SEEN", "correlate_squares", "correlate_weights_squares", "describe_squares",
    "is_square", "outputs_of_tile", "place_tile",
]  # fmt: skip

KERNEL, LINES, PIXELS = 3, 2, 4
SEEN_LINES, SEEN_PIXELS = LINES + KERNEL - 1, PIXELS + KERNEL - 1
SEEN, MADE = SEEN_LINES * SEEN_PIXELS, LINES * PIXELS
# Inputs that no tile before has seen. Processors guess what memory will be read next, but not on so many lines at a
# time: asking for it ahead makes these loops up to twice as fast where the images do not fit the cache.
NEW = [k for k in range(SEEN) if k // SEEN_PIXELS >= KERNEL - 1 and k % SEEN_PIXELS >= KERNEL - 1]
AHEAD = 2048  # bytes
OUTSIDE = -(1 << 62)  # where a pixel outside the image begins; stays negative if a little is added


class _Tile(Arguments):
    """What the two kinds of tile have in common."""

    def pointers(self, table, count, array, outside):
        """Where the pixels begin that a table names: in `array`, or `outside`. Kept on the stack, registers are few."""
        builder, inside, outside = self.builder, self.data(array), self.data(outside)
        kept = cgutils.alloca_once(builder, inside.type, size=count)
        for k in range(count):
            begin = builder.load(builder.gep(self.data(table), [integer_constant(k)]))
            negative = builder.icmp_signed("<", begin, integer_constant(0))
            pointer = builder.select(negative, outside, builder.gep(inside, [begin]))
            builder.store(pointer, builder.gep(kept, [integer_constant(k)]))
        return kept

    def pixel(self, pointers, k, channel):
        pointer = self.builder.load(self.builder.gep(pointers, [integer_constant(k)]))
        return self.builder.gep(pointer, [channel])

    def tap(self, name, t, channel):
        """Of an array (9, channels)."""
        place = self.builder.add(self.builder.mul(self.integer("channels"), integer_constant(t)), channel)
        return self.builder.gep(self.data(name), [place])

    def for_channels(self, body):
        """Generate body(vectors, first channel) for all channels: whole vectors, then those that are left."""
        builder, channels = self.builder, self.integer("channels")
        lanes = integer_constant(Vectors(builder, self.number("source"), 0, channels).lanes)
        end = builder.mul(builder.sdiv(channels, lanes), lanes)
        with cgutils.for_range_slice(builder, integer_constant(0), end, lanes) as (channel, _):
            body(Vectors(builder, self.number("source"), 1, lanes), channel)
        with builder.if_then(builder.icmp_signed("<", end, channels)):
            body(Vectors(builder, self.number("source"), 1, builder.sub(channels, end)), end)


def _seen_by():
    """For each input of the square: (its number, [(output of the tile that sees it, tap of the kernel)])."""
    for i in range(SEEN_LINES):
        for j in range(SEEN_PIXELS):
            outputs = [
                (r * PIXELS + p, (i - r) * KERNEL + j - p)
                for r in range(max(0, i - KERNEL + 1), min(LINES, i + 1))
                for p in range(max(0, j - KERNEL + 1), min(PIXELS, j + 1))
            ]
            yield i * SEEN_PIXELS + j, outputs


@intrinsic
def outputs_of_tile(context, source, reads, zeros, weights, bias, floor, target, writes, unused, channels):
    """A tile of outputs: each max(floor, bias + the sum of its inputs times weights (9, channels)).

    reads, writes: where its inputs and its outputs begin, negative outside the images.
    """

    def generate(context, builder, signature, values):
        names = "source reads zeros weights bias floor target writes unused channels"
        tile = _Tile(names, context, builder, signature, values)
        seen = tile.pointers("reads", SEEN, "source", "zeros")
        made = tile.pointers("writes", MADE, "target", "unused")
        floor = context.cast(builder, tile.values["floor"], tile.kinds["floor"], tile.kinds["target"].dtype)

        def body(vector, channel):
            first = vector.load(builder.gep(tile.data("bias"), [channel]), 0)
            sums = [first] * MADE
            weights = [vector.load(tile.tap("weights", t, channel), 0) for t in range(KERNEL * KERNEL)]
            for k, outputs in _seen_by():
                value = vector.load(tile.pixel(seen, k, channel), 0)
                if k in NEW:
                    vector.prefetch(tile.pixel(seen, k, channel), AHEAD, to_write=False)
                for output, tap in outputs:
                    sums[output] = vector.multiply_add(value, weights[tap], sums[output])
            least = vector.splat(floor)
            for k in range(MADE):
                vector.prefetch(tile.pixel(made, k, channel), AHEAD, to_write=True)
            for k, total in enumerate(sums):
                total = builder.select(builder.fcmp_ordered("<", total, least), least, total)  # NaN stays NaN
                vector.store(total, tile.pixel(made, k, channel), 0)

        tile.for_channels(body)
        return context.get_dummy_value()

    return types.void(source, reads, zeros, weights, bias, floor, target, writes, unused, channels), generate


@intrinsic
def _taps(context, source, reads, zeros, grad, grads, sums, channels):
    """sums (9, channels) += for each tap: the sum over a tile of outputs of their gradients times their inputs."""

    def generate(context, builder, signature, values):
        tile = _Tile("source reads zeros grad grads sums channels", context, builder, signature, values)
        seen = tile.pointers("reads", SEEN, "source", "zeros")
        given = tile.pointers("grads", MADE, "grad", "zeros")

        def body(vector, channel):
            places = [tile.tap("sums", t, channel) for t in range(KERNEL * KERNEL)]
            totals = [vector.load(place, 0) for place in places]
            gradients = [vector.load(tile.pixel(given, k, channel), 0) for k in range(MADE)]
            for k in range(MADE):
                vector.prefetch(tile.pixel(given, k, channel), AHEAD, to_write=False)
            for k, outputs in _seen_by():
                value = vector.load(tile.pixel(seen, k, channel), 0)
                if k in NEW:
                    vector.prefetch(tile.pixel(seen, k, channel), AHEAD, to_write=False)
                for output, tap in outputs:
                    totals[tap] = vector.multiply_add(value, gradients[output], totals[tap])
            for total, place in zip(totals, places, strict=True):
                vector.store(total, place, 0)

        tile.for_channels(body)
        return context.get_dummy_value()

    return types.void(source, reads, zeros, grad, grads, sums, channels), generate


@compiled
def place_tile(n, y, x, known, base, reads, writes):
    """Where the inputs and the outputs of the tile at line y, column x of image n begin; outputs `base` before that."""
    height, width, images, lines, step = known[0], known[1], known[2], known[3], known[4]
    top, left, out_h, out_w = known[5], known[6], known[7], known[8]
    out_images, out_lines, out_step = known[9], known[10], known[11]
    begin = x + left
    if x >= PIXELS and begin >= PIXELS and begin + SEEN_PIXELS <= width and x + PIXELS <= out_w:
        for k in range(SEEN):  # as the tile to the left
            reads[k] += PIXELS * step
        for k in range(MADE):
            writes[k] += PIXELS * out_step
        return
    for i in range(SEEN_LINES):
        line = y + top + i
        for j in range(SEEN_PIXELS):
            pixel = begin + j
            inside = 0 <= line < height and 0 <= pixel < width
            reads[i * SEEN_PIXELS + j] = n * images + line * lines + pixel * step if inside else OUTSIDE
    for r in range(LINES):
        for p in range(PIXELS):
            inside = y + r < out_h and x + p < out_w
            place = n * out_images + (y + r) * out_lines + (x + p) * out_step - base
            writes[r * PIXELS + p] = place if inside else OUTSIDE


@compiled
def _correlate(start, stop, part, source, known, zeros, weights, bias, floor, channels, unused, target):
    """Strips of `LINES` lines of outputs [start, stop) of all images."""
    out_h, out_w = known[7], known[8]
    strips = -(-out_h // LINES)
    reads, writes = np.empty(SEEN, np.int64), np.empty(MADE, np.int64)
    for strip in range(start, stop):
        n, y = strip // strips, strip % strips * LINES
        for x in range(0, out_w, PIXELS):
            place_tile(n, y, x, known, 0, reads, writes)
            outputs_of_tile(source, reads, zeros, weights, bias, floor, target, writes, unused[part], channels)


@compiled
def _weights(start, stop, part, source, known, zeros, grad, channels, sums, totals):
    """totals[part] (9 * channels,) in float64 over the strips [start, stop); within a strip in the gradient's dtype."""
    out_h, out_w = known[7], known[8]
    strips = -(-out_h // LINES)
    reads, grads = np.empty(SEEN, np.int64), np.empty(MADE, np.int64)
    own, total = sums[part], totals[part]
    total[:] = 0
    for strip in range(start, stop):
        n, y = strip // strips, strip % strips * LINES
        own[:] = 0
        for x in range(0, out_w, PIXELS):
            place_tile(n, y, x, known, 0, reads, grads)
            _taps(source, reads, zeros, grad, grads, own, channels)
        for k in range(len(own)):
            total[k] += own[k]


def is_square(rows, columns):
    """Whether the windows of two `axis.Axis` are those of a 3x3 kernel at stride 1, dilation 1."""
    return all(len(a.taps) == KERNEL and a.adjacent() and a.stride == a.step == 1 for a in (rows, columns))


def describe_squares(x, rows, columns, source, target):
    """What the compiled loops need to know, as one array of integers. source, target: Pixels."""
    return np.array(
        [
            *x.shape[2:], source.images, source.lines, source.step, rows.offsets[0], columns.offsets[0],
            rows.count, columns.count, target.images, target.lines, target.step,
        ],
        np.int64,
    )  # fmt: skip


def correlate_squares(x, weights, bias, rows, columns, output, floor):
    """Write the windows of each channel of x, times its taps, weights (9 * C,), plus bias (C,), into `output`."""
    source, target, channels = pixels_of(x), pixels_of(output), x.shape[1]
    strips = len(x) * -(-rows.count // LINES)
    run(
        _correlate, strips, source.flat, describe_squares(x, rows, columns, source, target),
        np.zeros(channels, x.dtype), weights, bias, floor, channels, np.empty((count_parts(strips), channels), x.dtype),
        target.flat,
    )  # fmt: skip


def correlate_weights_squares(x, grad, rows, columns):
    """The gradients (9, C) of the taps, in float64."""
    source, target, channels = pixels_of(x), pixels_of(grad), x.shape[1]
    strips = len(x) * -(-rows.count // LINES)
    size = count_parts(strips), KERNEL * KERNEL * channels
    totals = np.empty(size)
    run(
        _weights, strips, source.flat, describe_squares(x, rows, columns, source, target), np.zeros(channels, x.dtype),
        target.flat, channels, np.empty(size, x.dtype), totals,
    )  # fmt: skip
    return totals.sum(axis=0).reshape(KERNEL * KERNEL, channels)
