"""The text of the `.cu` files as compilers get it: with the headers of this folder in the place of their `#include`."""

import functools
import re
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
NUMBERS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
INTEGERS = {np.int32: "int", np.int64: "long long"}


@functools.cache
def source_text(path):
    """The text of a `.cu` file, a path below this folder or an absolute one.

    Headers are put in place here, because CuPy does not see that one has changed: its cache knows the text it gets.
    """
    path = FOLDER / path

    def header(match):
        included = path.parent / match[1]
        included = included if included.exists() else FOLDER / match[1]
        line = path.read_text().count("\n", 0, match.start()) + 2
        return f'#line 1 "{included.name}"\n{included.read_text()}#line {line} "{path.name}"\n'

    return f'#line 1 "{path.name}"\n' + re.sub(r'#include "(.+)"\n', header, path.read_text())


def kernel_names(text):
    """Names of the kernels that a source text defines, in their order."""
    return re.findall(r"__global__ void (?:__launch_bounds__\(.*?\)\s)?(\w+)\(", text)


def definitions(dtype, integer):
    """Compiler options that say what `number` and `integer` are."""
    return f"-DNUMBER={NUMBERS[np.dtype(dtype)]}", f"-DINTEGER={INTEGERS[integer]}"
