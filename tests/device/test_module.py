"""Networks, optimizers and what they save, on a device and between devices."""

import numpy as np
import pytest

import minception as mc
from minception import checkpoint, nn, optim
from minception import functional as F
from minception.train.device import device_of_model

DEVICES = ["cuda:0", "cuda:1"]
IMAGES = np.random.default_rng(1).standard_normal((4, 3, 8, 8)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2])

pytestmark = pytest.mark.usefixtures("cupy")


def network():
    mc.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 1), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip


def step(model, optimizer, device):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(mc.from_numpy(IMAGES).to(device)), LABELS)
    loss.backward()
    optimizer.step()
    return loss.item()


def assert_close(ours, theirs):
    assert set(ours) == set(theirs)
    for name, array in ours.items():
        assert isinstance(array, np.ndarray)
        np.testing.assert_allclose(array, theirs[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("device", DEVICES)
def test_a_module_moves_in_place_and_back(device):
    model = network()
    F.cross_entropy(model(mc.Tensor(IMAGES)), LABELS).backward()
    before, parameters = model.state_dict(), list(model.parameters())
    grads = [p.grad.tolist() for p in parameters]
    assert (model.cuda(1) if device == "cuda:1" else model.cuda()) is model and device_of_model(model) == device
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    for tensor in (*parameters, *model.buffers(), *(p.grad for p in parameters)):
        assert tensor.device == device
    assert model[1].num_batches_tracked.dtype == np.int64
    for name, array in model.state_dict().items():
        assert isinstance(array, np.ndarray)
        np.testing.assert_array_equal(array, before[name])
    assert [p.grad.tolist() for p in parameters] == grads
    assert model.double()[0].weight.device == device
    assert {t.device for t in (*model.float().cpu().parameters(), *model.buffers())} == {"cpu"}


def test_a_moved_weight_is_noticed_by_the_graph():
    model = network()
    loss = F.cross_entropy(model(mc.Tensor(IMAGES)), LABELS)
    model.to("cuda")
    with pytest.raises(RuntimeError, match="modified in place since"):
        loss.backward()


def test_images_on_another_device():
    with pytest.raises(RuntimeError, match=r"Conv2d: Expected all tensors to be on the same device.* cpu and cuda:1!"):
        network().to("cuda:1")(mc.Tensor(IMAGES))


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_follows_parameters_from_device_to_device(name):
    """Training that changes its device at every step ends where training on the CPU does."""
    ours, theirs = network(), network()
    a, b = OPTIMIZERS[name](ours.parameters()), OPTIMIZERS[name](theirs.parameters())
    for device in ("cuda:0", "cpu", "cuda:1", "cuda:0"):
        assert step(ours.to(device), a, device) == pytest.approx(step(theirs, b, "cpu"), rel=1e-4)
        arrays = [v for values in a.state.values() for v in values.values() if hasattr(v, "strides")]
        assert arrays and {mc.Tensor(array).device for array in arrays} == {device}
    assert_close(ours.state_dict(), theirs.state_dict())


def test_parameters_of_one_optimizer_on_several_devices():
    values = [np.full(3, i, np.float32) for i in range(3)]
    tensors = [mc.Tensor(v, requires_grad=True, device=d) for v, d in zip(values, ("cpu", *DEVICES), strict=True)]
    optimizer = optim.SGD(tensors, lr=1.0, momentum=0.5)
    sum((t * t).sum().cpu() for t in tensors).backward()
    assert optim.clip_grad_norm_(tensors, 1e9) == pytest.approx(np.sqrt(3 * (4 + 16)))
    assert optim.clip_grad_norm_(tensors, 1e9, norm_type=3) == pytest.approx((3 * (8 + 64)) ** (1 / 3))
    optim.clip_grad_norm_(tensors, np.sqrt(60) / 2)
    optim.clip_grad_value_(tensors, 1.5)
    optimizer.step()
    np.testing.assert_allclose([t.cpu().tolist() for t in tensors], [[0] * 3, [0] * 3, [0.5] * 3], atol=1e-5)
    optimizer.zero_grad(set_to_none=False)
    assert [t.grad.device for t in tensors] == ["cpu", *DEVICES] and not any(float(t.grad.sum()) for t in tensors)


@pytest.mark.parametrize("there, here", [("cuda:0", "cpu"), ("cpu", "cuda:1"), ("cuda:1", "cuda:0")])
def test_checkpoints_move_between_devices(tmp_path, there, here):
    """The same bytes, whichever device they are written from, and the same bits in whatever they are read into."""
    model, path = network().to(there), tmp_path / "checkpoint"
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    step(model, optimizer, there)
    tree = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    checkpoint.save(path, tree)
    saved = checkpoint.load(path)
    other = network().to(here)
    other.load_state_dict(saved["model"])
    again = OPTIMIZERS["Adam"](other.parameters())
    again.load_state_dict(saved["optimizer"])
    checkpoint.save(tmp_path / "again", {"model": other.state_dict(), "optimizer": again.state_dict()})
    assert path.read_bytes() == (tmp_path / "again").read_bytes()
    assert {t.device for t in (*other.parameters(), *other.buffers())} == {here}
    mc.save_weights(other, tmp_path / "weights")
    mc.save_weights(model, tmp_path / "others")
    assert (tmp_path / "weights").read_bytes() == (tmp_path / "others").read_bytes()
    mc.load_weights(network().to(there), tmp_path / "weights")


def test_tensors_and_arrays_on_a_device_are_saved_and_loaded(tmp_path):
    model = network()
    tensors = {name: mc.Tensor(array, device="cuda:1") for name, array in model.state_dict().items()}
    arrays = {name: t._array for name, t in tensors.items()}
    for state in (tensors, arrays):
        other = network().to("cuda:0").double()
        other.load_state_dict(state)
        assert_close(other.float().state_dict(), model.state_dict())
        checkpoint.save_weights(tmp_path / "weights", state)
        assert_close(checkpoint.load_weights(tmp_path / "weights"), model.state_dict())
    checkpoint.save(tmp_path / "tree", {"a": [arrays["0.weight"]]})
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "tree")["a"][0], model.state_dict()["0.weight"])


@pytest.mark.parametrize("device", DEVICES)
def test_the_seed_gives_the_same_numbers_everywhere(device):
    """Initial values are drawn on the CPU, whatever device the tensor that they go to is on."""
    draws = [
        nn.init.uniform_, nn.init.normal_, nn.init.kaiming_normal_, nn.init.xavier_uniform_, nn.init.trunc_normal_,
    ]  # fmt: skip
    for draw in draws:
        results = []
        for place in ("cpu", device):
            mc.manual_seed(7)
            results.append(draw(mc.Tensor(np.zeros((4, 3), np.float32), device=place)).tolist())
        assert results[0] == results[1]
    assert nn.init.ones_(mc.Tensor(np.zeros(3), device=device)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("device", DEVICES)
def test_dropout_keeps_its_share_and_sends_gradients_through_what_it_kept(device):
    mc.manual_seed(5)
    x = mc.Tensor(np.ones((8, 4, 10, 10), np.float32), requires_grad=True, device=device)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    values, grad = (np.asarray(t.detach().cpu()) for t in (y, x.grad))
    assert set(np.unique(values)) == {0, np.float32(1 / 0.75)} and abs((values == 0).mean() - 0.25) < 0.05
    np.testing.assert_array_equal(grad, values)


@pytest.mark.parametrize("device", DEVICES)
def test_fused_networks_compute_where_their_weights_are(device):
    model = network()
    with mc.no_grad():
        model(mc.Tensor(IMAGES))  # running statistics
        expected = np.asarray(model.eval()(mc.Tensor(IMAGES)))
        for example in (None, mc.Tensor(IMAGES[:1], device=device)):
            fused = model.to(device).fuse(example)
            result = fused(mc.Tensor(IMAGES, device=device))
            assert result.device == device and device_of_model(fused[0]) == device
            np.testing.assert_allclose(np.asarray(result.cpu()), expected, rtol=1e-4, atol=1e-6)
        with pytest.raises(RuntimeError, match=f"conv2d_prepared: Expected .* cpu and {device}!"):
            fused(mc.Tensor(IMAGES))


def test_the_number_of_batches_is_counted():
    norm = nn.BatchNorm2d(3, momentum=None).cuda(1)
    for i in range(3):
        norm(mc.Tensor(IMAGES + i, device="cuda:1"))
    assert int(norm.num_batches_tracked) == 3
    np.testing.assert_allclose(norm.running_mean.tolist(), IMAGES.mean((0, 2, 3)) + 1, rtol=1e-4)


def test_the_cache_of_the_gpu_is_emptied(cupy):
    pool = cupy.get_default_memory_pool()
    before = pool.freed
    mc.empty_cache()
    assert pool.freed == before + 1
