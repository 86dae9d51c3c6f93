"""Names, shapes, costs and batch-norm constants of the published networks, as their lists have them."""

import re
from pathlib import Path

import pytest

from minception import models, nn

LISTS = sorted((Path(__file__).parent / "architectures").glob("*.txt"))


def number(text):
    return int(text.replace(",", ""))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_network_is_as_listed(path):
    lines = path.read_text().splitlines()
    listed = [tuple(line.split()) for line in lines if not line.startswith("#")]
    facts = " ".join(line for line in lines if line.startswith("#"))
    size = int(re.search(r"input (\d+)x\1", facts)[1])
    with nn.init.skip_init():
        model = models.create(path.stem)
    state = {name: array for name, array in model.state_dict().items() if not name.endswith(".num_batches_tracked")}
    assert [(name, "x".join(map(str, array.shape))) for name, array in state.items()] == listed
    assert models.count_parameters(model) == number(re.search(r"parameters ([\d,]+)\b", facts)[1])
    macs = number(re.search(r"native size, eval: ([\d,]+);", facts)[1])
    assert models.count_multiply_accumulates(model, size) == macs
    entry = models.entry(path.stem)
    assert (entry.input_size, entry.multiply_accumulates) == (size, macs)
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    eps, momentum = re.search(r"eps ([\d.e-]+), momentum ([\d.]+)", facts).groups()
    assert {(norm.eps, norm.momentum) for norm in norms} == {(float(eps), float(momentum))}
    heads = re.search(r"of which auxiliary heads ([\d,]+)", facts)
    if heads:
        with nn.init.skip_init():
            without = models.create(path.stem, aux_logits=False)
        assert models.count_parameters(model) - models.count_parameters(without) == number(heads[1])


def test_all_lists_are_there():
    assert len(LISTS) == 10
