"""The benchmark beside other libraries: that all do the same, and that one that is missing is left out."""

import importlib
import importlib.util
import json

import numpy as np
import pytest
import torch

from benchmarks.cpu.peers import __main__ as command
from benchmarks.cpu.peers import in_minception, tasks
from benchmarks.cpu.peers.worker import function_of, prepare

F = torch.nn.functional
LABELS = torch.from_numpy(tasks.labels_of("cross-entropy"))
IN_TORCH = {
    "convolution": lambda x, weight: F.conv2d(x, weight, padding=1),
    "batch norm": lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "cross-entropy": lambda x: F.cross_entropy(x, LABELS),
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The same tasks on less data."""
    shapes = {
        "convolution": ((2, 4, 6, 8), (4, 4, 3, 3)),
        "batch norm": ((3, 4, 5, 6), (4,), (4,)),
        "max pool": ((2, 3, 6, 8),),
        "cross-entropy": ((*LABELS.shape, 1000),),
    }
    monkeypatch.setattr(tasks, "SHAPES", shapes)
    monkeypatch.setattr(tasks, "SIZE", 8)


@pytest.mark.parametrize("name", list(IN_TORCH))
def test_ours_does_what_is_asked(name):
    inputs = [torch.from_numpy(array).requires_grad_() for array in tasks.inputs_of(name)]
    output = IN_TORCH[name](*inputs)
    output.backward(torch.from_numpy(np.array(tasks.gradient_of_output(name))))
    forward = function_of(in_minception, f"{name}, forward")()
    np.testing.assert_allclose(forward, output.detach().numpy(), rtol=1e-4, atol=1e-5)
    gradient = function_of(in_minception, f"{name}, forward and backward")()
    np.testing.assert_allclose(gradient, inputs[0].grad.numpy(), rtol=1e-4, atol=1e-5)


def test_the_network_learns():
    step = function_of(in_minception, tasks.STEP)
    losses = [float(step()) for _ in range(20)]
    assert losses[-1] < losses[0] and losses[0] == pytest.approx(np.log(tasks.CLASSES), rel=0.1)


@pytest.mark.parametrize("task", tasks.TASKS)
@pytest.mark.parametrize("library", command.PEERS)
def test_peers_do_the_same(library, task):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed; it is optional")
    module = importlib.import_module(f"benchmarks.cpu.peers.in_{library}")
    found, expected = (function_of(m, task)() for m in (module, in_minception))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_library_that_is_missing_is_left_out(capsys, tmp_path):
    path = tmp_path / "peers.json"
    options = ["--threads", "1", "--rounds", "2", "--only", "max pool, forward and", "--peers", "no_such_library"]
    command.main([*options, "--json", str(path)])
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("left out: no_such_library: ModuleNotFoundError")
    assert out[-1].startswith("max pool, forward and backward  minception ")
    saved = json.loads(path.read_text())
    assert list(saved["results"]) == ["max pool, forward and backward"]
    assert saved["results"]["max pool, forward and backward"]["minception"] > 0


def test_jobs_of_a_worker():
    function, calls, facts = prepare("minception", 1, {"task": "cross-entropy, forward"})
    assert function().shape == () and calls >= 1 and facts == {}
