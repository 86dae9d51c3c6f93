"""CUDA graphs: what is replayed is what would have been computed, to the bit."""

import numpy as np
import pytest

import minception as mc
from minception import checkpoint, nn
from minception import functional as F
from minception.cli import main
from minception.kernels.capture import current_capture, without_cublas
from minception.kernels.cuda import product
from minception.train.build import build_state
from minception.train.config import TrainConfig
from minception.train.graphed_passes import GraphedPasses
from minception.train.loop import train_step
from tests.kept_settings import settings_kept
from tests.train import tiny

QUICK = [
    *("--model", "tiny", "--data", "synthetic", "--limit-train", "40", "--limit-test", "20", "--schedule", "constant"),
    *("--batch-size", "8", "--threads", "1", "--lr", "0.05", "--no-progress", "--device", "cuda"),
]  # 5 steps an epoch

pytestmark = pytest.mark.usefixtures("cupy")


@pytest.fixture(autouse=True)
def tiny_network(cupy, monkeypatch):
    monkeypatch.setattr("minception.models.registry._ENTRIES", dict(tiny.models.registry._ENTRIES))
    tiny.register()
    monkeypatch.setattr("minception.train.plots.curves", lambda history: b"no picture")
    with settings_kept(), mc.use_kernels("cuda"):
        yield


def captured(compute):
    """(graph, result) of a function without arguments, which has run before."""
    with without_cublas():
        compute()
    g = mc.cuda.CUDAGraph()
    with mc.cuda.graph(g):
        assert mc.cuda.is_current_stream_capturing()
        result = compute()
    assert not mc.cuda.is_current_stream_capturing()
    return g, result


def test_replays_read_the_same_memory_anew(rng):
    layer = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)).to("cuda")
    x = mc.Tensor(rng.standard_normal((2, 3, 5, 4)), device="cuda").float()
    with mc.no_grad():
        g, y = captured(lambda: layer(x))
        for values in rng.standard_normal((3, 2, 3, 5, 4)).astype(np.float32):
            x.copy_(mc.Tensor(values, device="cuda"))
            g.replay()
            with without_cublas():
                expected = layer(x)
            assert y.tolist() == expected.tolist()


def test_memory_of_a_graph_holds_what_was_written_between_replays(cupy):
    g, places = mc.cuda.CUDAGraph(), []
    with mc.cuda.graph(g):
        places.extend(cupy.empty(2, np.int64) for _ in range(20))
        twice = [place * 2 for place in places]
    for number, place in enumerate(places):
        place.fill(number)
    g.replay()
    assert [t.tolist() for t in twice] == [[2 * number] * 2 for number in range(20)]


def test_dropout_draws_as_if_it_had_been_called(rng):
    x = mc.Tensor(np.ones(100, np.float32), device="cuda")
    mc.manual_seed(3)
    g, y = captured(lambda: F.dropout(x, 0.5))
    state = mc.default_generator().bit_generator.state
    replayed = [g.replay() or y.tolist() for _ in range(3)]
    mc.default_generator().bit_generator.state = state
    assert replayed == [F.dropout(x, 0.5).tolist() for _ in range(3)]
    assert replayed[0] != replayed[1]


def steps(name, size, precision, graphed, count=4):
    """Training steps of a network, the last with fewer images: (losses, its state)."""
    rng = np.random.default_rng(7)
    config = TrainConfig(model=name, schedule="constant", device="cuda:0", lr=0.05, batch_size=4, precision=precision)
    config = config.resolve(available_threads=1)
    mc.set_precision(precision)
    state = build_state(config, num_classes=3, steps_per_epoch=count)
    if graphed:
        state.graphed_passes = GraphedPasses(state, config)
    losses = []
    for step in range(count):
        n = 4 if step < count - 1 else 3
        images = np.moveaxis(rng.standard_normal((n, size, size, 3)).astype(np.float32), -1, 1)
        with without_cublas():
            losses.append(train_step(state, images, rng.integers(0, 3, n), config, count))
    return losses, state


@pytest.mark.parametrize(
    ("name", "size", "precision"),
    [
        ("tiny", 32, "float32"),
        ("tiny", 32, "float16"),
        ("mini_inception", 8, "float32"),
        ("mini_xception", 8, "float32"),
    ],
)
def test_steps_equal_those_without_a_graph(name, size, precision):
    (losses, state), (expected_losses, expected) = (steps(name, size, precision, graphed) for graphed in (True, False))
    assert len(state.graphed_passes.graphs) == 1
    assert losses == expected_losses
    saved, theirs = state.state_dict(), expected.state_dict()
    assert saved["generator"] == theirs["generator"]
    assert saved["scaler"] == theirs["scaler"]
    for name, array in saved["model"].items():  # with running statistics, and how many batches they saw
        np.testing.assert_array_equal(array, theirs["model"][name], name)


def test_gradients_come_back_after_a_batch_of_another_size():
    _, state = steps("tiny", 32, "float32", graphed=True)
    weight, images = state.model.fc.weight, np.zeros((4, 3, 32, 32), np.float32)
    labels = np.array([0, 1, 2, 0])
    state.graphed_passes(images, labels)
    first = weight.grad.tolist()
    state.optimizer.zero_grad()
    state.graphed_passes(images[:2], labels[:2])
    assert weight.grad.tolist() != first
    state.graphed_passes(images, labels)
    assert np.shape(weight.grad.tolist()) == np.shape(first)
    with pytest.raises(ValueError, match="labels must be from 0 to 2, got 1 to 3"):
        state.graphed_passes(images, labels + 1)


def test_a_run_ends_with_the_weights_of_one_without_graphs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(product, "uses_cublas", lambda: False)
    for name, options in (("plain", []), ("graph", ["--cuda-graph"])):
        assert main(["train", *QUICK, "--output", name, "--epochs", "1", *options]) == 0
    assert main(["train", "--resume", "graph", "--epochs", "2", "--no-progress"]) == 0
    assert main(["train", "--resume", "plain", "--epochs", "2", "--no-progress"]) == 0
    ours, theirs = (checkpoint.load_weights(tmp_path / name / "weights.safetensors") for name in ("graph", "plain"))
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], name)


def test_the_cpu_has_no_graphs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *QUICK, "--output", "a", "--device", "cpu", "--cuda-graph"]) != 0
    assert "--cuda-graph is for a GPU: it has no effect with --device cpu" in capsys.readouterr().err


def test_values_cannot_be_looked_at_in_a_capture():
    x, g = mc.Tensor(np.ones(3, np.float32), device="cuda"), mc.cuda.CUDAGraph()
    with pytest.raises(RuntimeError), mc.cuda.graph(g):
        (x * 2).tolist()
    assert current_capture() is None
    assert (x * 2).tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="nothing has been captured"):
        g.replay()


def test_its_memory_is_not_that_of_others(cupy):
    x = mc.Tensor(np.ones(1000, np.float32), device="cuda")
    used = cupy.get_default_memory_pool().used_bytes()
    g, y = captured(lambda: F.relu(x) * 2)
    assert cupy.get_default_memory_pool().used_bytes() == used
    assert g._memory.used_bytes() >= y._array.nbytes
    g.replay()
    assert y.tolist() == [2] * 1000
    g.reset()
    with pytest.raises(RuntimeError, match="nothing has been captured"):
        g.replay()


def test_wrong_uses():
    x = mc.Tensor(np.ones(3, np.float32), device="cuda")
    g, _ = captured(lambda: x * 2)
    with pytest.raises(RuntimeError, match="holds a capture already"), mc.cuda.graph(g):
        pass
    with pytest.raises(RuntimeError, match="a capture is going on already"), mc.cuda.graph(mc.cuda.CUDAGraph()):
        with mc.cuda.graph(mc.cuda.CUDAGraph()):
            pass

    class Own(np.random.Generator):
        pass

    generator = Own(np.random.PCG64(0))
    with pytest.raises(RuntimeError, match="only generators of NumPy's own class"), mc.cuda.graph(mc.cuda.CUDAGraph()):
        F.dropout(x, 0.5, generator=generator)
