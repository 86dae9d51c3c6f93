"""All rows, in the order of the error table."""

import importlib
import pkgutil

from . import rows

MODULES = (
    "convolution",
    "conv_prepared",
    "depthwise",
    "pooling",
    "batch_norm",
    "batch_norm_relu",
    "local_response_norm",
    "activation",
    "joining",
    "linear",
    "softmax",
    "loss",
    "unary",
    "elementwise",
    "reduction",
    "shape",
    "norm",
    "update",
)

TABLE = {row.name: row for module in MODULES for row in importlib.import_module(f"{rows.__name__}.{module}").ROWS}

assert set(MODULES) == {module.name for module in pkgutil.iter_modules(rows.__path__)}, "a file of rows is not listed"
