"""Handing compiled work to waiting threads without going through Python.

Waking a sleeping thread takes tens of microseconds, often longer than the work that it is given, and everything that
Python does is done by one thread at a time. So the other threads of `parallel.run` stay awake for a moment after each
kernel, in compiled code that does not hold Python's lock, and watch the *board*: a few numbers in shared memory that
say what is to be done.

The board's ticket holds three numbers: which job, of how many parts, and the next part that nobody has taken. Whoever
raises the last one atomically owns that part. The caller takes parts too, so a job is finished even if no other thread
ever looks; it then waits until every part that was taken is done. Which thread takes a part changes nothing in the
result, because the parts are fixed.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .compile import compiled, is_cached

__all__ = ["launcher", "new_board", "serve"]

# places on the board: TICKET and DONE in cache lines of their own
TICKET, DONE, FUNCTION, ARGUMENTS, SIZE, ASLEEP = 0, 8, 16, 17, 18, 24
PART_BITS = 16
MASK = (1 << PART_BITS) - 1
PATIENCE = 64  # looks at the board between two offers to let other threads run
INT64, INT32, BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
PART = ir.FunctionType(ir.VoidType(), [BYTES, INT64, INT64, INT64])  # (arguments, start, stop, part)


def new_board():
    """An empty board: int64."""
    return np.zeros(32, np.int64)


def _place(context, builder, kind, board, index):
    return builder.gep(context.make_array(kind)(context, builder, board).data, [ir.Constant(INT64, index)])


def _integers(context, builder, signature, arguments):
    """All arguments after the first, as 64-bit integers."""
    pairs = zip(arguments[1:], signature.args[1:], strict=True)
    return [context.cast(builder, number, kind, types.int64) for number, kind in pairs]


def _atomic(index, result, write):
    """An intrinsic f(board, *numbers) on the place `index`; write(builder, pointer, *numbers) is its code."""

    def generate(context, builder, signature, arguments):
        pointer = _place(context, builder, signature.args[0], arguments[0], index)
        made = write(builder, pointer, *_integers(context, builder, signature, arguments))
        return context.get_dummy_value() if result == types.void else made

    return generate


@intrinsic
def _look(context, board):
    """The ticket."""
    load = _atomic(TICKET, types.int64, lambda b, p: b.load_atomic(p, "seq_cst", 8))
    return types.int64(board), load


@intrinsic
def _take(context, board, ticket):
    """Whether the ticket was still `ticket`; if so, it is one higher now."""

    def write(builder, pointer, expected):
        pair = builder.cmpxchg(pointer, expected, builder.add(expected, ir.Constant(INT64, 1)), "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(board, ticket), _atomic(TICKET, types.boolean, write)


@intrinsic
def _post(context, board, ticket):
    """Show a new ticket: everything written before is seen by whoever sees it."""
    return types.void(board, ticket), _atomic(
        TICKET, types.void, lambda b, p, ticket: b.store_atomic(ticket, p, "seq_cst", 8)
    )


@intrinsic
def _count_done(context, board):
    """How many parts are done."""
    return types.int64(board), _atomic(DONE, types.int64, lambda b, p: b.load_atomic(p, "seq_cst", 8))


@intrinsic
def _add_done(context, board, parts):
    """Count parts as done."""
    return types.void(board, parts), _atomic(DONE, types.void, lambda b, p, n: b.atomic_rmw("add", p, n, "seq_cst"))


@intrinsic
def _lie_down(context, board, threads):
    """Count threads as asleep."""
    return types.void(board, threads), _atomic(ASLEEP, types.void, lambda b, p, n: b.atomic_rmw("add", p, n, "seq_cst"))


@intrinsic
def _take_sleepers(context, board, none):
    """How many threads were asleep; they count as awake from now on."""
    return types.int64(board, none), _atomic(
        ASLEEP, types.int64, lambda b, p, n: b.atomic_rmw("xchg", p, n, "seq_cst")
    )


@intrinsic
def _do(context, board, start, stop, part):
    """Call the function on the board."""

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        function = builder.load(_place(context, builder, kind, arguments[0], FUNCTION))
        given = builder.load(_place(context, builder, kind, arguments[0], ARGUMENTS))
        numbers = _integers(context, builder, signature, arguments)
        builder.call(builder.inttoptr(function, PART.as_pointer()), [builder.inttoptr(given, BYTES), *numbers])
        return context.get_dummy_value()

    return types.void(board, start, stop, part), generate


_let_others_run = types.ExternalFunction("sched_yield", types.int32())
_read = types.ExternalFunction("read", types.int64(types.int32, types.CPointer(types.int8), types.int64))
_write = types.ExternalFunction("write", types.int64(types.int32, types.CPointer(types.int64), types.int64))


@compiled
def _take_parts(board):
    """Do parts of the present job until none is left; return how many."""
    taken = 0
    while True:
        ticket = _look(board)
        part, parts = ticket & MASK, (ticket >> PART_BITS) & MASK
        if part >= parts:
            return taken
        if _take(board, ticket):
            # The job cannot end before this part is done, so what the board says of it stays.
            size = board[SIZE]
            _do(board, size * part // parts, size * (part + 1) // parts, part)
            _add_done(board, 1)
            taken += 1


@compiled
def serve(board, bell, rounds):
    """Work for ever on the jobs that appear on the board; sleep after `rounds` times `PATIENCE` vain looks.

    bell: the reading end of a pipe, in which somebody puts a byte to wake one thread.
    """
    idle = 0
    byte = np.empty(1, np.int8)
    while True:
        if _take_parts(board):
            idle = 0
        for _ in range(PATIENCE):
            ticket = _look(board)
            if ticket & MASK < (ticket >> PART_BITS) & MASK:
                break
        else:
            idle += 1
            _let_others_run()
        if idle == rounds:
            idle = 0
            _lie_down(board, 1)
            ticket = _look(board)  # a job posted before this look does not see the sleeper, one posted after it does
            if ticket & MASK >= (ticket >> PART_BITS) & MASK:
                _read(bell, byte.ctypes, 1)


@compiled
def wake(board, bell):
    """Wake the threads that sleep; `bell` is the writing end of their pipe."""
    for _ in range(_take_sleepers(board, 0)):
        _write(bell, board.ctypes, 1)


@compiled
def _finish(board, parts):
    """Do what is left of the job, and wait for what others do of it."""
    _take_parts(board)
    looks = 0
    while _count_done(board) < parts:
        looks += 1
        if looks % PATIENCE == 0:
            _let_others_run()


def _announcer(kernel):
    """An intrinsic that puts a call of `kernel` on the board: announce(board, arguments).

    The arguments lie in the frame of the function that announces, which must wait for the end of the job.
    """

    def announce(context, board, arguments):
        inner = (types.int64, types.int64, types.int64, *arguments)
        types.Dispatcher(kernel).get_call_type(context, inner, {})  # compiles it
        compiled_kernel = kernel.overloads[inner]

        def generate(context, builder, signature, values):
            function = ir.Function(builder.module, PART, builder.module.get_unique_name("part"))
            function.linkage = "internal"
            kept = cgutils.alloca_once_value(builder, values[1])
            inside = ir.IRBuilder(function.append_basic_block())
            pack = inside.load(inside.bitcast(function.args[0], kept.type))
            unpacked = [inside.extract_value(pack, i) for i in range(len(arguments))]
            callee = context.declare_function(builder.module, compiled_kernel.fndesc)
            context.call_conv.call_function(inside, callee, types.none, inner, [*function.args[1:], *unpacked])
            inside.ret_void()
            context.active_code_library.add_linking_library(compiled_kernel.library)
            for place, pointer in ((FUNCTION, function), (ARGUMENTS, kept)):
                builder.store(
                    builder.ptrtoint(pointer, INT64), _place(context, builder, signature.args[0], values[0], place)
                )
            return context.get_dummy_value()

        return types.void(board, arguments), generate

    return intrinsic(announce)


def launcher(kernel):
    """launch(board, bell, parts, size, *arguments), compiled: kernel(start, stop, part, *arguments) for all parts of
    `size`.

    `kernel` must not raise. Its launcher is compiled, and cached, as if it stood beside it.
    """

    def launch(board, bell, parts, size, *arguments):
        announce(board, arguments)  # noqa: F821 - given below
        board[SIZE] = size
        board[DONE] = 0
        job = (_look(board) >> (2 * PART_BITS)) + 1
        _post(board, ((job << PART_BITS) + parts) << PART_BITS)
        wake(board, bell)
        _finish(board, parts)

    original = kernel.py_func
    code = launch.__code__.replace(
        co_filename=original.__code__.co_filename, co_firstlineno=original.__code__.co_firstlineno
    )
    names = {"SIZE": SIZE, "DONE": DONE, "PART_BITS": PART_BITS}
    names |= {"_look": _look, "_post": _post, "_finish": _finish, "wake": wake, "__name__": original.__module__}
    names["announce"] = _announcer(kernel)
    function = type(launch)(code, names)
    function.__module__ = original.__module__
    function.__qualname__ = function.__name__ = f"{original.__qualname__}_launch"
    return compiled(function, cache=is_cached(kernel), inside=(kernel,))
