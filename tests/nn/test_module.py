"""What a module does with its tree: modes, conversion, copies, hooks, text."""

import copy

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn


def network():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))


def image(dtype=np.float32):
    return mc.Tensor(np.random.default_rng(0).normal(size=(2, 2, 4, 4)).astype(dtype))


def test_missing_forward_is_told():
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


def test_train_and_eval_reach_every_module_and_return_the_module():
    model = network()
    assert all(m.training for m in model.modules())
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert model.train() is model
    assert all(m.training for m in model.modules())
    model[1].eval()
    assert [m.training for m in model] == [True, False, True, True, True]


def test_train_respects_a_child_that_overrides_it():
    class Frozen(nn.BatchNorm2d):
        def train(self, mode=True):
            return super().train(False)

    model = nn.Sequential(nn.Sequential(Frozen(3)), nn.ReLU()).train()
    assert not model[0][0].training and model[1].training


@pytest.mark.parametrize("mode", [1, "eval", None, nn.ReLU()])
def test_train_wants_a_bool(mode):
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        network().train(mode)


def test_apply_visits_children_first():
    visited, expected = [], []
    model = network()
    assert model.apply(lambda m: visited.append(type(m).__name__)) is model
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(12, 2)
    )
    twin.apply(lambda m: expected.append(type(m).__name__))
    assert visited == expected


def test_requires_grad_freezes_parameters():
    model = network()
    assert model[0].requires_grad_(False) is model[0]
    model(image()).backward(np.ones((2, 2), np.float32))
    assert [p.grad is not None for p in model.parameters()] == [False, False, True, True, True, True]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(set_to_none):
    model = network()
    model(image()).backward(np.ones((2, 2), np.float32))
    model[0].bias.grad = None
    model.zero_grad(set_to_none)
    for name, p in model.named_parameters():
        if set_to_none or name == "0.bias":
            assert p.grad is None
        else:
            np.testing.assert_array_equal(np.asarray(p.grad), np.zeros(p.shape, np.float32), strict=True)


@pytest.mark.parametrize("target", [np.float64, "float64", np.dtype("float64")])
def test_to_converts_values_gradients_and_buffers_in_place(target):
    model = network()
    model(image()).backward(np.ones((2, 2), np.float32))
    parameters, before = list(model.parameters()), model.state_dict()
    grads = [np.asarray(p.grad) for p in parameters]
    assert model.to(target) is model
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    for name, value in model.state_dict().items():
        expected = np.int64 if name.endswith("num_batches_tracked") else np.float64
        np.testing.assert_array_equal(value, before[name].astype(expected), strict=True)
    for p, grad in zip(parameters, grads, strict=True):
        assert p.requires_grad and p.is_leaf
        np.testing.assert_array_equal(np.asarray(p.grad), grad.astype(np.float64), strict=True)
    assert model(image(np.float64)).dtype == np.float64


def test_float_and_double():
    model = network()
    assert model.double() is model and {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    assert model.float() is model and {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}


def test_to_cpu_changes_nothing():
    model = network().double()
    assert model.to("cpu") is model
    assert model[0].weight.dtype == np.float64


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (np.int32, TypeError, "floating"),
        ("int64", TypeError, "floating"),
        ("no such dtype", TypeError, "no such dtype"),
        ("cuda", RuntimeError, "cuda"),
    ],
)
@pytest.mark.parametrize("make", [network, nn.ReLU])
def test_to_refuses_what_is_not_there(make, target, error, words):
    with pytest.raises(error, match=words):
        make().to(target)


def test_deepcopy_shares_nothing_but_keeps_sharing_within():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    twin = copy.deepcopy(model)
    assert repr(twin) == repr(model)
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in twin.parameters())
    before = twin.state_dict()
    for tensor in [*model.parameters(), *model.buffers()]:
        with mc.no_grad():
            tensor.fill_(7)
    for name, value in twin.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert twin[2].weight is twin[0].weight is not model[0].weight
    assert len(list(twin.parameters())) == len(list(model.parameters()))


def test_deepcopy_of_a_used_and_hooked_model_runs_and_trains_alone():
    model = network()
    calls = []
    model.register_forward_hook(lambda *args: calls.append(args[0]))
    model(image()).backward(np.ones((2, 2), np.float32))
    twin = copy.deepcopy(model.eval())
    np.testing.assert_array_equal(np.asarray(twin(image())), np.asarray(model(image())))
    assert calls == [model, twin, model]
    assert not twin[1].training


def test_forward_passes_positional_and_keyword_arguments():
    class Scale(nn.Module):
        def forward(self, x, factor, shift=0):
            return x * factor + shift

    assert float(Scale()(mc.Tensor(3.0), 2, shift=1)) == 7.0


def test_forward_hooks_see_arguments_and_output_in_order():
    layer, seen = nn.ReLU(), []
    layer.register_forward_pre_hook(lambda module, args: seen.append(("before", module, args)))
    layer.register_forward_hook(lambda module, args, output: seen.append(("after", module, args, output)))
    layer.register_forward_hook(lambda module, args, output: seen.append("second"))
    x = mc.Tensor([-1.0, 2.0])
    y = layer(x)
    assert seen[0] == ("before", layer, (x,))
    assert seen[1][:3] == ("after", layer, (x,)) and seen[1][3] is y
    assert seen[2] == "second"


def test_hooks_can_replace_arguments_and_output():
    layer = nn.ReLU()
    layer.register_forward_pre_hook(lambda module, args: args[0] - 1)
    layer.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    layer.register_forward_hook(lambda module, args, output: output + 10)
    layer.register_forward_hook(lambda module, args, output: output * 3)
    x = mc.Tensor([0.0, 3.0], requires_grad=True)
    y = layer(x)
    np.testing.assert_array_equal(np.asarray(y), [30.0, 42.0])
    y.backward(np.ones(2, np.float32))
    np.testing.assert_array_equal(np.asarray(x.grad), [0.0, 6.0])


@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_many_hooks_without_kept_handles_all_run_and_any_can_be_removed(kind):
    layer, calls = nn.ReLU(), []

    def numbered(number):
        return lambda *_: calls.append(number)

    for number in range(20):
        getattr(layer, kind)(numbered(number))
    handle = getattr(layer, kind)(numbered(20))
    getattr(layer, kind)(numbered(21))
    layer(mc.Tensor([1.0]))
    assert calls == list(range(22))
    handle.remove()
    handle.remove()  # twice is fine
    calls.clear()
    layer(mc.Tensor([1.0]))
    assert calls == [*range(20), 21]


def test_a_hook_may_remove_itself_while_running():
    layer, calls = nn.ReLU(), []

    def once(*_):
        calls.append("once")
        handle.remove()

    handle = layer.register_forward_hook(once)
    layer.register_forward_hook(lambda *_: calls.append("always"))
    for _ in range(2):
        layer(mc.Tensor([1.0]))
    assert calls == ["once", "always", "always"]


@pytest.mark.parametrize("lines", ["", "one line", "two\nlines"])
@pytest.mark.parametrize("children", [False, True])
def test_extra_repr_is_laid_out_as_by_torch(lines, children):
    def build(package):
        class Described(package.Module):
            def __init__(self):
                super().__init__()
                if children:
                    self.first = package.Sequential(package.Linear(2, 3), package.ReLU())
                    self.second = package.ReLU()

            def extra_repr(self):
                return lines

        return package.Sequential(Described())

    assert repr(build(nn)) == repr(build(torch.nn))
