"""Looking into networks on a GPU: `profile`, `summarize`, and what `mc.cuda` says."""

import json
import sys

import numpy as np
import pytest

import minception as mc
from minception import models, study
from minception.cli import main
from minception.study import profile_roof

ROOF = study.Roof(1e12, 1e11, None, "cuda:1")


@pytest.fixture(autouse=True)
def _small_matrices(monkeypatch):
    monkeypatch.setattr(profile_roof, "MATRIX_SIZE_ON_GPU", 16)
    monkeypatch.setattr(profile_roof, "COPY_BYTES_ON_GPU", 1 << 12)


@pytest.mark.parametrize("training", [True, False])
def test_profile_counts_what_it_counts_on_the_cpu(cupy, training):
    """Other kernels may run, but convolutions, batch norm and pools do the same work for the same layers."""
    found = {}
    for device in ("cpu", "cuda:1"):
        model = models.lenet5().to(device)
        found[device] = study.profile(model, 32, 1, batch_size=2, training=training, repeat=1, roof=ROOF)
    rows = {device: {(r.layer, r.kind, r.direction): r for r in p.by("layer", "kind", "direction")}
            for device, p in found.items()}  # fmt: skip
    for key, row in rows["cpu"].items():
        if key[1].startswith(("conv", "pool", "max pool", "average pool", "linear", "loss")):
            other = rows["cuda:1"][key]
            assert (other.calls, other.flops, other.bytes) == (row.calls, row.flops, row.bytes), key
            assert other.seconds > 0
    assert found["cuda:1"].saved_bytes == found["cpu"].saved_bytes
    assert found["cuda:1"].peak_bytes >= found["cuda:1"].saved_bytes
    assert (found["cuda:1"].peak_bytes > 0) and (found["cuda:1"].saved_bytes > 0) == training
    assert "Roof, cuda:1: 1,000 GFLOP/s" in str(found["cuda:1"])


def test_profile_leaves_the_network_as_it_was(cupy):
    model = models.create("mini_xception").to("cuda:1")
    before = model.state_dict()
    study.profile(model, 8, batch_size=2, repeat=1, roof=ROOF)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], name)
    assert all(tensor.device == "cuda:1" for tensor in (*model.parameters(), *model.buffers()))


def test_roof(cupy):
    roof = study.measure_roof("cuda:1")
    assert roof.flops_per_second > 0 and roof.bytes_per_second > 0
    assert (roof.threads, roof.device, roof.machine) == (None, "cuda:1", "cuda:1")


def test_the_gpu_is_waited_for(cupy, monkeypatch):
    """After every observed kernel, and at the ends of passes."""
    waited = []
    monkeypatch.setattr(cupy.cuda.Device, "synchronize", lambda device: waited.append(device.id))
    found = study.profile(models.lenet5().to("cuda:1"), 32, 1, batch_size=2, repeat=1, roof=ROOF)
    assert len(waited) > sum(row.calls for row in found.rows) and set(waited) == {1}


def test_command(cupy, tmp_path, capsys):
    plot, table = tmp_path / "roof.svg", tmp_path / "rows.json"
    options = ["--image-size", "32", "--batch-size", "1", "--repeat", "1", "--plot", plot, "--json", table]
    assert main(["profile", "lenet5", "--device", "cuda:1", *map(str, options)]) == 0
    assert "Roof, cuda:1: " in capsys.readouterr().out
    assert json.loads(table.read_text())["roof"]["device"] == "cuda:1"
    assert plot.read_text().startswith("<?xml")


def test_command_out_of_memory(cupy, capsys):
    from . import stand_in

    stand_in.limit_memory(100_000)
    assert main(["profile", "lenet5", "--device", "cuda", "--batch-size", "64"]) == 1
    assert "not enough memory for 64 images of 32x32 pixels on cuda:0: Out of memory allocating" in (
        capsys.readouterr().err
    )


def test_summary_is_the_same(cupy):
    texts = [str(study.summarize(models.create("mini_inception").to(device), 32)) for device in ("cpu", "cuda:1")]
    assert texts[0] == texts[1]


def test_what_there_is(cupy):
    assert mc.cuda.is_available() and mc.cuda.device_count() == 2 and mc.cuda.current_device() == 0
    assert mc.cuda.get_device_name() == "Stand-in 0" and mc.cuda.get_device_name("cuda:1") == "Stand-in 1"
    assert mc.cuda.get_device_name(1) == "Stand-in 1"
    mc.cuda.synchronize()


def test_memory_allocated(cupy):
    before = [mc.cuda.memory_allocated(device) for device in (0, 1)]
    tensor = mc.Tensor(np.zeros(1000, np.float32), device="cuda:1")
    view = tensor[10:]
    assert [mc.cuda.memory_allocated(device) - b for device, b in enumerate(before)] == [0, 4000]
    del tensor
    assert mc.cuda.memory_allocated(1) - before[1] == 4000, "the view holds on to it"
    del view
    assert mc.cuda.memory_allocated(1) == before[1]


def test_nothing_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert not mc.cuda.is_available() and mc.cuda.device_count() == 0
    with pytest.raises(RuntimeError, match="current_device: device 'cuda' is not available: CuPy is not installed"):
        mc.cuda.current_device()
