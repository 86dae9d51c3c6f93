"""The inner loops of depthwise convolution: some pixels, or some taps, of as many channels as fit a vector register.

Every number is used a few times only, so these loops wait for memory and not for arithmetic; what counts is that sums
stay in registers over all taps (or pixels), and that each number is fetched from far away once.
"""

from contextlib import contextmanager

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .arguments import Arguments
from .vectors import Vectors, integer_constant

__all__ = ["PIXELS", "TAPS", "correlate_pixels", "gradient_of_taps"]

PIXELS = 8  # outputs at a time: they share the loads of the taps
TAPS = 3  # gradients of taps at a time: they share the loads of the output's gradient; more need too many addresses


def _entry(builder, table, index):
    return builder.load(builder.gep(table, [index]))


@intrinsic
def correlate_pixels(context, source, starts, offsets, taps, weights, channels, target, targets, first):
    """target[targets[r] + c] = sum over t < taps of source[starts[r] + offsets[t] + c] * weights[t * channels + c].

    For first <= r < first + PIXELS and c < channels. In compiled code.
    """
    names = "source starts offsets taps weights channels target targets first"

    def generate(context, builder, signature, values):
        given = Arguments(names, context, builder, signature, values)
        kind = given.number("target")
        channels, first, offsets = given.integer("channels"), given.integer("first"), given.data("offsets")
        rows = [builder.add(first, integer_constant(r)) for r in range(PIXELS)]
        begins = [[_entry(builder, given.data(table), r) for r in rows] for table in ("starts", "targets")]
        pixels, results = (
            [builder.gep(given.data(array), [begin]) for begin in table]
            for array, table in zip(("source", "target"), begins, strict=True)
        )
        with _channel_blocks(builder, kind, channels) as (vector, channel):
            sums = [cgutils.alloca_once(builder, vector.type) for _ in range(PIXELS)]
            for total in sums:
                builder.store(vector.zero, total)
            with cgutils.for_range(builder, given.integer("taps")) as loop:
                weight = builder.add(builder.mul(loop.index, channels), channel)
                weight = vector.load(builder.gep(given.data("weights"), [weight]), 0)
                offset = builder.add(_entry(builder, offsets, loop.index), channel)
                for pixel, total in zip(pixels, sums, strict=True):
                    seen = vector.load(builder.gep(pixel, [offset]), 0)
                    builder.store(vector.multiply_add(seen, weight, builder.load(total)), total)
            for result, total in zip(results, sums, strict=True):
                vector.store(builder.load(total), builder.gep(result, [channel]), 0)
        return context.get_dummy_value()

    return types.void(source, starts, offsets, taps, weights, channels, target, targets, first), generate


@contextmanager
def _channel_blocks(builder, kind, channels):
    """Generate a loop over the channels, a vector at a time: gives (Vectors for the channels left, first channel)."""
    width = Vectors(builder, kind, 0, channels).lanes
    with cgutils.for_range_slice(builder, integer_constant(0), channels, integer_constant(width)) as (channel, _):
        yield Vectors(builder, kind, 1, builder.sub(channels, channel)), channel


@intrinsic
def gradient_of_taps(
    context, grad, grad_starts, grad_step, source, starts, step, offsets, first, lines, inner, channels, sums
):
    """sums[t * channels + c] = sum over lines and k < inner of grad[grad_starts[line] + k * grad_step + c]
    * source[starts[line] + k * step + offsets[first + t] + c], for t < TAPS and c < channels. In compiled code.
    """
    names = "grad grad_starts grad_step source starts step offsets first lines inner channels sums"

    def generate(context, builder, signature, values):
        given = Arguments(names, context, builder, signature, values)
        kind = given.number("sums")
        channels, first = given.integer("channels"), given.integer("first")
        starts, grad_starts, offsets = given.data("starts"), given.data("grad_starts"), given.data("offsets")
        taps = [_entry(builder, offsets, builder.add(first, integer_constant(t))) for t in range(TAPS)]
        at, grad_at = (cgutils.alloca_once(builder, ir.IntType(64)) for _ in range(2))
        with _channel_blocks(builder, kind, channels) as (vector, channel):
            grad = builder.gep(given.data("grad"), [channel])
            seen_by = [builder.gep(builder.gep(given.data("source"), [channel]), [tap]) for tap in taps]
            totals = [cgutils.alloca_once(builder, vector.type) for _ in range(TAPS)]
            for total in totals:
                builder.store(vector.zero, total)
            with cgutils.for_range(builder, given.integer("lines")) as line:
                builder.store(_entry(builder, starts, line.index), at)
                builder.store(_entry(builder, grad_starts, line.index), grad_at)
                with cgutils.for_range(builder, given.integer("inner")):
                    here, grad_here = builder.load(at), builder.load(grad_at)
                    factor = vector.load(builder.gep(grad, [grad_here]), 0)
                    for pointer, total in zip(seen_by, totals, strict=True):
                        seen = vector.load(builder.gep(pointer, [here]), 0)
                        builder.store(vector.multiply_add(factor, seen, builder.load(total)), total)
                    builder.store(builder.add(here, given.integer("step")), at)
                    builder.store(builder.add(grad_here, given.integer("grad_step")), grad_at)
            out = builder.gep(given.data("sums"), [channel])
            for t, total in enumerate(totals):
                place = builder.mul(channels, integer_constant(t))
                vector.store(builder.load(total), builder.gep(out, [place]), 0)
        return context.get_dummy_value()

    arguments = (grad, grad_starts, grad_step, source, starts, step, offsets, first, lines, inner, channels, sums)
    return types.void(*arguments), generate
