"""A file that PyTorch writes with the names and shapes of published weights loads, and is saved again bit by bit."""

from pathlib import Path

import pytest
import torch

import minception as mc
from minception import models, nn
from minception.weights import read_weights

LISTS = Path(__file__).parent.parent / "models" / "architectures"
NAMES = sorted(path.stem for path in LISTS.glob("*.txt"))


def published(name):
    """Random tensors under the names of the list, `num_batches_tracked` left out as in older files."""
    generator = torch.Generator().manual_seed(0)
    lines = (LISTS / f"{name}.txt").read_text().splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return {key: torch.randn(*map(int, shape.split("x")), generator=generator) for key, shape in pairs}


def test_lists_are_there():
    assert len(NAMES) == 10 and set(NAMES) <= set(models.names())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older"])
@pytest.mark.parametrize("name", NAMES)
def test_load_and_save(name, zipped, tmp_path):
    state = published(name)
    torch.save(state, tmp_path / "torch.pth", _use_new_zipfile_serialization=zipped)
    with nn.init.skip_init():
        model = models.create(name)
    mc.load_weights(model, tmp_path / "torch.pth")
    mc.save_weights(model, tmp_path / "ours.safetensors")
    del model
    saved = read_weights(tmp_path / "ours.safetensors")
    for key, tensor in state.items():
        expected = tensor.numpy()
        assert saved[key].dtype == expected.dtype and saved[key].shape == expected.shape
        assert saved[key].tobytes() == expected.tobytes(), key
    assert all(key.endswith(".num_batches_tracked") for key in saved.keys() - state.keys())
    for path in tmp_path.iterdir():  # half a gigabyte for the largest
        path.unlink()
