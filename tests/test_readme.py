"""What the README says of the networks is what they are."""

import re
from pathlib import Path

import pytest

from minception import models
from minception.study import summarize

README = (Path(__file__).parent.parent / "README.md").read_text()
NETWORKS = README.partition("## The networks")[2].partition("\n## ")[0]
ROWS = {
    name: [cell.strip() for cell in rest.split("|")[:-1]]
    for name, rest in re.findall(r"^\| `(\w+)` \|(.*)$", NETWORKS, re.MULTILINE)
}


def test_every_network_has_a_row():
    assert sorted(ROWS) == models.names()


@pytest.mark.parametrize("name", models.names())
def test_row(name):
    entry = models.entry(name)
    parameters, macs, _, image, paper = ROWS[name]
    assert parameters == f"{entry.parameters:,}" and macs == f"{entry.multiply_accumulates:,}"
    assert image == f"{entry.in_channels}x{entry.input_size}x{entry.input_size}" and paper == entry.paper


@pytest.mark.parametrize("name", ["googlenet_paper", "inception_v2", "inception_v3", "lenet5"])
def test_memory(name):
    entry = models.entry(name)
    found = summarize(models.create(name), entry.input_size, in_channels=entry.in_channels).activation_bytes / 2**20
    assert ROWS[name][2] in (f"{found:.1f} MiB", f"{found:.2f} MiB")
