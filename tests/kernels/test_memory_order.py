"""Images leave a kernel channels-last in memory, whatever the layout they came in; weight gradients row-major."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.inputs import is_channels_last
from tests.table.homes import HOMES
from tests.table.table import TABLE
from tests.table.test_layouts import Memory

IMAGES = ("output", "grad x")
ROWS = {
    "conv2d": IMAGES,
    "depthwise_conv2d": IMAGES,
    "separable_conv2d": IMAGES,
    "im2col": ("grad x",),
    "max_pool2d": IMAGES,
    "avg_pool2d": IMAGES,
    "adaptive_avg_pool2d": IMAGES,
    "global_avg_pool2d": IMAGES,
    "batch_norm, training": IMAGES,
    "batch_norm, evaluating": IMAGES,
    "local_response_norm": IMAGES,
    "concatenate": ("output",),
}


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("name", ROWS)
@given(data=st.data())
def test_results(name, home, data):
    row = TABLE[name]
    case = data.draw(row.cases)
    memory = Memory(lambda options, label: data.draw(st.sampled_from(options), label=label), row.in_place)
    results = row.run("kernel", home, case.call(np.float32, memory))
    for image in ROWS[name]:
        # A concatenation of anything but images is as NumPy makes it.
        if results[image].ndim == 4 or (name != "concatenate" and results[image].ndim > 2):
            assert is_channels_last(results[image]), image
    if "grad weight" in results:
        assert results["grad weight"].flags.c_contiguous
