"""Tensors on a device: how they get there, what they refuse, and that what is computed there is right."""

import copy

import numpy as np
import pytest

import minception as mc
from minception import functional as F
from minception.kernels.transfer import on_device_of, to_device, to_numpy

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 11
DEVICES = ["cuda:0", "cuda:1"]

pytestmark = pytest.mark.usefixtures("cupy")


def test_ways_to_a_device():
    x = mc.Tensor(VALUES, requires_grad=True)
    made = {
        "cuda:0": [x.to("cuda"), x.cuda(), x.to("cuda:0"), mc.Tensor(VALUES, device="cuda")],
        "cuda:1": [x.cuda(1), x.to("cuda:1"), mc.as_tensor(VALUES, device="cuda:1"), x.cuda().to("cuda:1")],
        "cpu": [x, x.cuda().cpu(), x.cuda(1).to("cpu"), mc.as_tensor(x.cuda(), device="cpu")],
    }
    for device, tensors in made.items():
        for t in tensors:
            assert (t.device, t.shape, t.dtype) == (device, x.shape, x.dtype)
            assert t.tolist() == VALUES.tolist()
            assert t.to(device) is t
    assert mc.Tensor(x.cuda(1)).device == "cuda:1"


def test_the_current_device_is_meant_by_cuda(cupy):
    with cupy.cuda.Device(1):
        assert mc.Tensor(VALUES).to("cuda").device == "cuda:1"


def test_unknown_devices():
    x = mc.Tensor(VALUES)
    for name in ("cuda:2", "cuda:99"):
        with pytest.raises(RuntimeError, match=f"'{name}' is not available: there is only \"cuda:0\" to \"cuda:1\""):
            x.to(name)
    for name in ("cuda:", "cuda:-1", "cuda:x", "cpu:0", "cuda0x:1"):
        with pytest.raises((RuntimeError, TypeError), match=r"unknown device|cannot have dtype"):
            x.to(name)
    with pytest.raises(TypeError, match="a device is a string"):
        mc.Tensor(VALUES, device=0)
    with pytest.raises(RuntimeError, match="unknown device 'gpu'"):
        mc.Tensor(VALUES, device="gpu")


def test_numpy_does_not_see_it():
    x = mc.Tensor(VALUES).cuda()
    for see in (np.asarray, np.array, lambda t: t.numpy(), lambda t: np.asarray(t, dtype=np.float64)):
        with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
            see(x)
    np.testing.assert_array_equal(np.asarray(x.cpu()), VALUES)


@pytest.mark.parametrize("device", DEVICES)
def test_moving_keeps_the_order_in_memory(device):
    image = VALUES.reshape(2, 3, 2, 2)
    for axes in ((0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)):
        x = np.ascontiguousarray(image.transpose(axes)).transpose(np.argsort(axes))
        there = to_device(x, device)
        assert there.strides == to_numpy(there).strides == to_device(there, "cuda:0").strides == x.strides
        np.testing.assert_array_equal(to_numpy(there), x)
    for x in (np.broadcast_to(np.float32(3), (2, 3)), np.zeros((0, 3)), np.array(2.5), image[:, ::2, ::-1]):
        there = to_device(x, device)
        assert (there.dtype, there.shape) == (x.dtype, x.shape)
        np.testing.assert_array_equal(to_numpy(there), x)


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_go_the_way_back(device):
    x = mc.Tensor(VALUES, requires_grad=True)
    there = x.to(device)
    there.retain_grad()
    loss = (there * there / 100).sum().to("cuda:0").exp().cpu() + x.sum()
    loss.backward()
    assert (there.grad.device, x.grad.device) == (device, "cpu")
    factor = np.exp((VALUES**2).sum() / 100)
    np.testing.assert_allclose(x.grad, VALUES / 50 * factor + 1, rtol=1e-4)


def test_two_devices_in_one_operation():
    cpu, gpu = mc.Tensor(VALUES), mc.Tensor(VALUES).cuda()
    message = "Expected all tensors to be on the same device, but found at least two devices, {} and {}!"
    for a, b in ((cpu, gpu), (gpu, cpu), (gpu, gpu.to("cuda:1")), (gpu, VALUES)):
        devices = a.device, getattr(b, "device", "cpu")
        for operation in (
            lambda a, b: a + b, lambda a, b: a < b, F.maximum, lambda a, b: mc.cat([a, b]), lambda a, b: a @ b,
            lambda a, b: F.where(a > 0, a, b),
        ):  # fmt: skip
            with pytest.raises((RuntimeError, ValueError), match=message.format(*devices) + "|inner sizes"):
                operation(a, b)
    images = mc.Tensor(np.ones((1, 3, 4, 4), np.float32), device="cuda")
    with pytest.raises(RuntimeError, match="Conv2d: " + message.format("cuda:0", "cpu")):
        F.conv2d(images, mc.Tensor(np.ones((2, 3, 1, 1), np.float32)))
    ones = mc.Tensor(np.ones(3, np.float32))
    with pytest.raises(RuntimeError, match="batch_norm: " + message.format("cuda:0", "cpu")):
        F.batch_norm(images, ones, ones)
    with pytest.raises(RuntimeError, match="CrossEntropy: " + message.format("cuda:0", "cpu")):
        F.cross_entropy(gpu[0], mc.Tensor(np.array([0, 1, 2])))
    with pytest.raises(RuntimeError, match="backward: " + message.format("cuda:0", "cpu")):
        mc.Tensor(VALUES, requires_grad=True, device="cuda").backward(cpu)


def test_numbers_follow():
    x = mc.Tensor(VALUES).cuda(1)
    for y in (x + 1, 2.0 * x, x / np.float32(3), x - mc.Tensor(1.0), mc.Tensor(2.0) - x, F.maximum(x, 0.0)):
        assert y.device == "cuda:1"
    assert (mc.Tensor(2.0) - x).tolist() == (2 - VALUES).tolist()
    assert F.where(x > 0, x, 0.0).tolist() == np.maximum(VALUES, 0).tolist()
    assert F.cross_entropy(x[0], [0, 1, 2]).device == F.nll_loss(x[0], np.array([0, 1, 2])).device == "cuda:1"


OPERATIONS = {
    "arithmetic": lambda x: (x * 3 - x / 7 + (x * x + 1) ** 0.5).mean(1) @ x[0].T,
    "power": lambda x: (x * x + 1) ** (x / 10),
    "elementwise": lambda x: F.sigmoid(x) + x.tanh() + x.abs() + x.clip(-3, 4) + F.minimum(x, -x) + (x / 9).exp(),
    "square root and logarithm": lambda x: F.sqrt(x * x + 1) * F.log(x * x + 1),
    "reductions": lambda x: x.sum(0).max(1).values + x.var((0, 2)).sum() + x.amax() - x.min(2).values.amin(0).mean(),
    "index": lambda x: x[1, :, [0, 2, 2]] + x[:, mc.Tensor([0, 1]), 1].sum() + x[x > 3].sum() + x[..., None, -1].sum(),
    "shape": lambda x: F.pad(mc.cat([x.transpose(0, 2), x.permute(2, 1, 0)], 1).reshape(4, -1), (1, 2), 5) * 2,
    "stack": lambda x: mc.stack([x, x * 2], 1).expand(3, 2, 2, 3, 4) * 0.5,
    "softmax": lambda x: F.softmax(x, 1) * F.log_softmax(x, 2) + F.relu(x) + F.elu(x),
    "casts": lambda x: (x.double() * 1.5).float() + (x > 2).to("float32"),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_equal_those_on_the_cpu(name, device):
    results = {}
    for place in ("cpu", device):
        x = mc.Tensor(VALUES, requires_grad=True, device=place)
        y = OPERATIONS[name](x)
        assert y.device == place
        y.backward(np.cos(np.arange(y.numel(), dtype=np.float32)).reshape(y.shape))
        assert x.grad.device == place
        results[place] = np.asarray(y.detach().cpu()), np.asarray(x.grad.cpu())
    for ours, theirs in zip(results[device], results["cpu"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_comparison_and_choice():
    x = mc.Tensor(VALUES).cuda(1)
    assert (x == x).device == x.argmax(1).device == x.max(1).indices.device == "cuda:1"
    assert x.argmax(1).tolist() == VALUES.argmax(1).tolist() and int(x.argmax()) == 23
    assert bool((x[0, 0] < -7).cpu().tolist() == [True] * 4)


def test_indices_out_of_range_do_not_wrap_around():
    x = mc.Tensor(VALUES).cuda()
    for index in ([0, 2], np.array([-3]), (0, [3]), mc.Tensor([5]), (slice(None), mc.Tensor([3]).cuda())):
        with pytest.raises(IndexError, match="out of bounds"):
            x[index]
        with pytest.raises(IndexError, match="out of bounds"):
            x[index] = 0


@pytest.mark.parametrize("device", DEVICES)
def test_in_place(device):
    x, expected = mc.Tensor(VALUES).to(device), VALUES.copy()
    before = x._array
    x += 1
    x *= mc.Tensor(2.0)
    x[0, 1] = np.full(4, 7.0)
    x[[0, 1], [0, 2]] = mc.Tensor([[1.0], [2.0]])
    x[1, 0] = x[0, 1]
    x.add_(x, alpha=2)
    expected = (expected + 1) * 2
    expected[0, 1], expected[[0, 1], [0, 2]] = 7, [[1], [2]]
    expected[1, 0] = expected[0, 1]
    expected *= 3
    assert x._array is before and x.tolist() == expected.tolist()
    assert x.copy_(mc.Tensor(VALUES)).tolist() == VALUES.tolist()
    assert mc.Tensor(np.zeros((2, 3, 4))).copy_(x).tolist() == VALUES.tolist()
    x.data = np.ones((2, 3, 4))
    assert x.tolist() == np.ones((2, 3, 4)).tolist()
    assert x.fill_(2.5).zero_().tolist() == np.zeros((2, 3, 4)).tolist() and x.device == device
    with pytest.raises(ValueError, match="copy_: shape"):
        x.copy_(np.ones(5))


def test_changes_of_saved_arrays_are_noticed():
    x = mc.Tensor(VALUES, requires_grad=True, device="cuda")
    y = x * x
    view = x.detach()[0]
    view.zero_()
    with pytest.raises(RuntimeError, match="Multiply needs its input 0 as it was"):
        y.sum().backward()


@pytest.mark.parametrize("device", DEVICES)
def test_hooks_see_gradients_and_cannot_spoil_them(device):
    x = mc.Tensor(VALUES, requires_grad=True, device=device)
    seen = []
    y = x * 2
    y.register_hook(lambda grad: seen.append(grad.zero_()))
    x.register_hook(lambda grad: grad * 10)
    y.sum().backward()
    assert seen[0].device == x.grad.device == device
    assert x.grad.tolist() == np.full(VALUES.shape, 20.0).tolist()


def test_text_copies_and_numbers():
    x = mc.Tensor([1.0, 2.0], requires_grad=True).cuda(1)
    assert repr(x) == "tensor([1., 2.], device='cuda:1', grad_fn=<ToDevice>)"
    leaf = copy.deepcopy(mc.Tensor([1.0, 2.0], requires_grad=True, device="cuda:1"))
    assert leaf.device == "cuda:1" and leaf.tolist() == [1, 2] and leaf.requires_grad
    assert [float(v) for v in x] == [1, 2] and x.sum().item() == 3 and bool(x[0]) and len(x) == 2


@pytest.mark.parametrize("device", DEVICES)
def test_gradcheck_runs_on_the_device(device):
    x = mc.Tensor(VALUES.astype(np.float64) / 7, requires_grad=True, device=device)
    big = mc.Tensor(np.linspace(-1, 1, 600), requires_grad=True, device=device)
    devices = set()

    def function(x, big):
        devices.add(x.device)
        return (x * x).tanh(), big.exp().sum() * x

    assert mc.gradcheck(function, (x, big)) and devices == {device}

    class Wrong(mc.Function):
        def forward(self, x):
            return x * 2

        def backward(self, grad_output):
            return grad_output * 2.001

    try:
        with pytest.raises(AssertionError, match="worst element"):
            mc.gradcheck(Wrong.apply, x, rtol=1e-5)
    finally:
        del Wrong


def test_a_context_of_the_device(cupy):
    for device in (0, 1):
        with on_device_of(mc.Tensor(VALUES).cuda(device)._array):
            assert cupy.cuda.runtime.getDevice() == device
    with on_device_of(VALUES):
        assert cupy.cuda.runtime.getDevice() == 0
