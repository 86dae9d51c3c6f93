"""Read the pickles inside PyTorch's files, without Python's unpickler and without importing or calling anything.

A pickle is a program for a small stack machine, and its GLOBAL and REDUCE opcodes import and call whatever the file
names. Here that machine is written out with the opcodes that PyTorch's files need (protocols 2 to 5): containers, text,
numbers, and the names in a table of stand-ins, which is all that can be called. Nothing recurses, the work is bounded,
and no value is larger than the bytes that it was read from.
"""

import struct

from .errors import FormatError, plain

MAXIMUM_STEPS = 1_000_000  # opcodes and copied items; a network's state takes about 40 opcodes for each tensor
MAXIMUM_INTEGER_BYTES = 16  # PyTorch's magic number has 10
MAXIMUM_MEMO = 1 << 24

# What a damaged or hostile program makes the machine run into: an empty stack, an unknown memo index, wrong types.
ACCIDENTS = (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error)

_MARK = object()


class Ignored:
    """Something of the file that is no part of its weights: options, a random state, a NumPy number."""

    __slots__ = ("what",)

    def __init__(self, what):
        self.what = what


def load_pickle(data, position, stand_ins, persistent_load=None):
    """Run the pickle that begins at `position` of `data` (bytes, memoryview or mmap); return (value, end position).

    stand_ins: dict from (module, name) to what stands for it: a function, which is called with the arguments that the
    file passes, or any other value. persistent_load: called with the identifier of an object stored elsewhere.
    Raises FormatError for a pickle that is cut off, makes no sense or asks for anything else.
    """
    return _Machine(data, position, stand_ins, persistent_load).run()


class _Machine:
    def __init__(self, data, position, stand_ins, persistent_load):
        self.data, self.position = data, position
        self.stand_ins, self.persistent_load = stand_ins, persistent_load
        self.stack, self.memo, self.steps = [], {}, 0

    def run(self):
        try:
            while True:
                self.count(1)
                code = self.take(1)[0]
                if code == ord("."):
                    return self.stack.pop(), self.position
                step = OPCODES.get(code)
                if step is None:
                    raise FormatError(f"forbidden or damaged pickle: opcode 0x{code:02x} at byte {self.position - 1}")
                step(self)
        except ACCIDENTS as error:
            kind = type(error).__name__
            raise FormatError(f"damaged pickle at byte {self.position}: {kind}: {plain(str(error))}") from None

    def count(self, steps):
        self.steps += steps
        if self.steps > MAXIMUM_STEPS:
            raise FormatError(f"forbidden pickle: it takes more than {MAXIMUM_STEPS} steps")

    # Reading the file

    def take(self, size):
        start, self.position = self.position, self.position + size
        taken = self.data[start : self.position]
        if len(taken) != size:
            raise FormatError("truncated pickle: the file ends inside it")
        return taken

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, layout):
        return bytes(self.take(self.number(layout))).decode()

    def old_text(self, layout):
        """The string of Python 2, which is text or, in a NumPy number, bytes."""
        string = bytes(self.take(self.number(layout)))
        try:
            return string.decode()
        except UnicodeDecodeError:
            return string

    def line(self):
        start = self.position
        window = bytes(self.data[start : start + 256])
        end = window.find(b"\n")
        if end < 0:
            raise FormatError("damaged pickle: a name without its end")
        self.position = start + end + 1
        return window[:end].decode()

    # The stack

    def push(self, value):
        self.stack.append(value)

    def pop_to_mark(self):
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise IndexError("no mark on the stack")

    def push_tuple(self, size):
        items = tuple(self.stack[len(self.stack) - size :])
        if len(items) != size:
            raise IndexError("the stack is empty")
        del self.stack[len(self.stack) - size :]
        self.push(items)

    # Opcodes

    def protocol(self):
        version = self.take(1)[0]
        if not 2 <= version <= 5:
            raise FormatError(f"a pickle of protocol {version}; protocols 2 to 5 are read")

    def integer(self):
        size = self.take(1)[0]
        if size > MAXIMUM_INTEGER_BYTES:
            raise FormatError(f"forbidden pickle: an integer of {size} bytes")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def put(self, index):
        if index > MAXIMUM_MEMO:
            raise FormatError(f"forbidden pickle: memo index {index}")
        self.memo[index] = self.stack[-1]

    def append(self, values):
        if type(self.stack[-1]) is not list:
            raise TypeError("appending to what is no list")
        self.stack[-1].extend(values)

    def set_items(self, items):
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise TypeError("setting items of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            set_item(target, key, value)

    def find(self, module, name):
        if type(module) is not str or type(name) is not str:
            raise TypeError("a global's name is no text")
        if (module, name) not in self.stand_ins:
            raise FormatError(
                f"forbidden pickle: it asks for {plain(f'{module}.{name}')}, which no file of weights needs, and which "
                "was not run. Whole pickled models and other objects are not read: in PyTorch, save "
                "`model.state_dict()`"
            )
        self.push(self.stand_ins[module, name])

    def find_from_stack(self):
        name, module = self.stack.pop(), self.stack.pop()
        self.find(module, name)

    def call(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple:
            raise TypeError("a call without its arguments")
        # A long list can be fetched from the memo and passed to one call after the other.
        self.count(sum(len(item) for item in arguments if type(item) in (list, tuple, dict)))
        self.push(function if type(function) is Ignored else function(*arguments))

    def build(self):
        self.stack.pop()  # the attributes of an object: what PyTorch's dictionaries have there is not needed
        if type(self.stack[-1]) not in (dict, Ignored):
            raise TypeError("an object with attributes")

    def persistent(self):
        if self.persistent_load is None:
            raise FormatError("forbidden pickle: a persistent object where none can be")
        self.push(self.persistent_load(self.stack.pop()))


def set_item(target, key, value):
    """Set target[key], for keys of types whose hashes cannot be made to collide or to take long."""
    if (type(key) is int and abs(key) < 1 << 63) or type(key) in (str, bool, type(None)):
        target[key] = value
    else:
        raise TypeError(f"a dictionary's key of type {type(key).__name__}")


OPCODES = {
    ord(code): step
    for code, step in {
        "\x80": _Machine.protocol,
        "\x95": lambda m: m.take(8),  # FRAME, which only divides the file
        "(": lambda m: m.push(_MARK),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "J": lambda m: m.push(m.number("<i")),
        "K": lambda m: m.push(m.number("<B")),
        "M": lambda m: m.push(m.number("<H")),
        "\x8a": _Machine.integer,
        "G": lambda m: m.push(m.number(">d")),
        "X": lambda m: m.push(m.text("<I")),
        "\x8c": lambda m: m.push(m.text("<B")),
        "\x8d": lambda m: m.push(m.text("<Q")),
        "U": lambda m: m.push(m.old_text("<B")),
        "T": lambda m: m.push(m.old_text("<I")),
        "C": lambda m: m.push(bytes(m.take(m.number("<B")))),
        "B": lambda m: m.push(bytes(m.take(m.number("<I")))),
        ")": lambda m: m.push(()),
        "\x85": lambda m: m.push_tuple(1),
        "\x86": lambda m: m.push_tuple(2),
        "\x87": lambda m: m.push_tuple(3),
        "t": lambda m: m.push(tuple(m.pop_to_mark())),
        "]": lambda m: m.push([]),
        "a": lambda m: m.append([m.stack.pop()]),
        "e": lambda m: m.append(m.pop_to_mark()),
        "}": lambda m: m.push({}),
        "s": lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]),
        "u": lambda m: m.set_items(m.pop_to_mark()),
        "q": lambda m: m.put(m.number("<B")),
        "r": lambda m: m.put(m.number("<I")),
        "\x94": lambda m: m.put(len(m.memo)),
        "h": lambda m: m.push(m.memo[m.number("<B")]),
        "j": lambda m: m.push(m.memo[m.number("<I")]),
        "c": lambda m: m.find(m.line(), m.line()),
        "\x93": _Machine.find_from_stack,
        "R": _Machine.call,
        "\x81": _Machine.call,  # NEWOBJ: an object made by its class, here by what stands for the class
        "b": _Machine.build,
        "Q": _Machine.persistent,
    }.items()
}
