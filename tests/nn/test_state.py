"""state_dict and load_state_dict: round trips with torch, independence, and one error that names everything."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.nn.twins import copy_state, fill_randomly


def pair():
    """The same network twice: ours and torch's."""

    def build(package):
        return package.Sequential(
            package.Conv2d(2, 4, (3, 2), groups=2),
            package.BatchNorm2d(4),
            package.ModuleList([package.Linear(4, 3), package.Linear(3, 3, bias=False)]),
            package.Sequential(package.BatchNorm1d(3, affine=False), package.ReLU()),
        )

    return build(nn), build(torch.nn)


def assert_states_equal(actual, expected):
    assert list(actual) == list(expected)
    for name, value in actual.items():
        np.testing.assert_array_equal(value, np.asarray(expected[name]), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torchs_state_loads_and_comes_back(dtype, rng):
    ours, twin = pair()
    fill_randomly(twin, rng)
    twin.to(torch.float32 if dtype == np.float32 else torch.float64)
    ours.to(dtype)
    result = ours.load_state_dict({name: tensor.numpy() for name, tensor in twin.state_dict().items()})
    assert result == ([], [])
    assert result.missing_keys == [] and result.unexpected_keys == []
    assert repr(result) == "<All keys matched successfully>"
    assert_states_equal(ours.state_dict(), twin.state_dict())
    back = {name: torch.tensor(value) for name, value in ours.state_dict().items()}
    fresh = pair()[1].to(torch.float32 if dtype == np.float32 else torch.float64)
    fresh.load_state_dict(back)
    assert_states_equal(ours.state_dict(), fresh.state_dict())


def test_state_dict_holds_independent_writable_arrays():
    ours, _ = pair()
    state = ours.state_dict()
    kept = {name: value.copy() for name, value in state.items()}
    for value in state.values():
        assert type(value) is np.ndarray and value.flags.owndata and value.flags.c_contiguous
        value += 1
    assert_states_equal(ours.state_dict(), kept)
    with mc.no_grad():
        ours[0].weight.zero_()
    np.testing.assert_array_equal(state["0.weight"], kept["0.weight"] + 1)


def test_loading_copies_and_keeps_the_parameters_themselves(rng):
    ours, twin = pair()
    fill_randomly(twin, rng)
    parameters = list(ours.parameters())
    state = {name: tensor.numpy().copy() for name, tensor in twin.state_dict().items()}
    kept = {name: value.copy() for name, value in state.items()}
    ours.load_state_dict(state)
    for value in state.values():
        value += 1
    assert all(a is b for a, b in zip(ours.parameters(), parameters, strict=True))
    assert_states_equal(ours.double().state_dict(), kept)


def test_values_are_cast_and_may_be_tensors_or_lists_or_in_any_memory_order(rng):
    layer = nn.Linear(2, 3)
    weight = rng.normal(size=(3, 2))
    expected = weight.astype(np.float32)
    spread = np.zeros((6, 4))
    spread[::2, ::2] = weight
    for value in (
        weight,
        weight.astype(">f8"),
        mc.Tensor(weight),
        mc.Tensor(weight, requires_grad=True),
        nn.Parameter(weight),
        torch.tensor(weight),
        weight.tolist(),
        np.asfortranarray(weight),
        spread[::2, ::2],
    ):
        layer.reset_parameters()
        layer.load_state_dict({"weight": value, "bias": np.arange(3)})
        np.testing.assert_array_equal(np.asarray(layer.weight), expected, strict=True)
        np.testing.assert_array_equal(np.asarray(layer.bias), np.arange(3, dtype=np.float32), strict=True)
        assert layer.weight.requires_grad and layer.weight.is_leaf


def test_values_too_large_for_float32_become_infinite_without_a_warning():
    layer = nn.Linear(1, 1, bias=False)
    layer.load_state_dict({"weight": np.array([[1e300]])})
    assert float(layer.weight) == np.inf


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_scalar_may_come_with_one_axis(shape):
    layer = nn.BatchNorm1d(2)
    layer.load_state_dict(layer.state_dict() | {"num_batches_tracked": np.full(shape, 5)})
    assert int(layer.num_batches_tracked) == 5 and layer.num_batches_tracked.shape == ()


@pytest.mark.parametrize("strict", [True, False])
def test_a_missing_count_of_batches_is_tolerated_and_keeps_its_value(strict):
    layer = nn.BatchNorm1d(2)
    layer(mc.Tensor(np.eye(2, dtype=np.float32)))
    state = layer.state_dict()
    del state["num_batches_tracked"]
    state["running_mean"] += 1
    assert layer.load_state_dict(state, strict).missing_keys == []
    assert int(layer.num_batches_tracked) == 1
    np.testing.assert_array_equal(np.asarray(layer.running_mean), state["running_mean"])


def test_buffers_that_are_not_persistent_are_neither_saved_nor_expected():
    module = nn.Module()
    module.register_buffer("cache", mc.Tensor(np.zeros(2)), persistent=False)
    module.register_buffer("kept", mc.Tensor(np.zeros(2)))
    assert list(module.state_dict()) == ["kept"]
    module.load_state_dict({"kept": np.ones(2)})
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"cache"'):
        module.load_state_dict({"kept": np.ones(2), "cache": np.ones(2)})


def wrong_state(state):
    """A state with two missing, two unexpected and two misshapen entries."""
    state = dict(state)
    del state["0.bias"], state["3.0.running_var"]
    state["2.0.weight"] = state["2.0.weight"][:, :2]
    state["1.running_mean"] = state["1.running_mean"][None]
    state["3.2.weight"] = state["2.1.weight"]
    state["head"] = state["2.1.weight"]
    return state


def test_one_error_lists_everything_in_torchs_words_and_nothing_is_changed():
    ours, twin = pair()
    before = ours.state_dict()
    wrong = {name: value + 1 for name, value in wrong_state(before).items()}
    with pytest.raises(RuntimeError) as caught:
        ours.load_state_dict(wrong)
    with pytest.raises(RuntimeError) as expected:
        twin.load_state_dict({name: torch.tensor(value) for name, value in wrong.items()})

    def lines(error):
        """The lines of a message, unexpected keys sorted: torch lists them by module, we as given."""
        text = str(error.value).replace("torch.Size([1, 4])", "(1, 4)").replace("torch.Size([4])", "(4,)")
        text = text.replace("torch.Size([3, 2])", "(3, 2)").replace("torch.Size([3, 4])", "(3, 4)")
        return [sorted(line.split('"')) if line.startswith("\tUnexpected") else line for line in text.split("\n")]

    assert len(lines(caught)) == 5
    assert lines(caught) == lines(expected)
    assert_states_equal(ours.state_dict(), before)


def test_a_wrong_last_entry_leaves_the_first_untouched():
    ours, _ = pair()
    before = ours.state_dict()
    wrong = {name: value + 1 for name, value in before.items()}
    wrong["3.0.running_var"] = np.zeros(4)
    with pytest.raises(RuntimeError, match=r"size mismatch for 3.0.running_var"):
        ours.load_state_dict(wrong, strict=False)
    assert_states_equal(ours.state_dict(), before)


def test_not_strict_loads_what_fits_and_reports_the_rest():
    ours, _ = pair()
    before = ours.state_dict()
    state = {name: value + 1 for name, value in before.items()}
    del state["0.bias"]
    state["head.weight"] = np.zeros(3)
    result = ours.load_state_dict(state, strict=False)
    assert result == (["0.bias"], ["head.weight"])
    assert repr(result) == "IncompatibleKeys(missing_keys=['0.bias'], unexpected_keys=['head.weight'])"
    after = ours.state_dict()
    for name in before:
        np.testing.assert_array_equal(after[name], before[name] + (name != "0.bias"))


@pytest.mark.parametrize(
    "value",
    [None, "text", np.array(["a"] * 3), np.ones(3, complex), object(), [[1.0], [1.0, 2.0]], np.array([None] * 3)],
    ids=["None", "str", "strings", "complex", "object", "ragged", "objects"],
)
def test_values_that_are_no_numbers_are_listed_by_name(value):
    layer = nn.Linear(2, 3)
    before = layer.state_dict()
    with pytest.raises(RuntimeError, match=r"Error\(s\) in loading state_dict for Linear:\n\tbias: "):
        layer.load_state_dict({"weight": np.ones((3, 2)), "bias": value})
    assert_states_equal(layer.state_dict(), before)


@pytest.mark.parametrize("state", [None, [("weight", 1)], 3])
def test_the_state_must_be_a_mapping(state):
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        nn.Linear(2, 3).load_state_dict(state)


def test_loading_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 3)
    x = mc.Tensor(np.ones((1, 2), np.float32), requires_grad=True)
    y = layer(x)
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="modified in place"):
        y.backward(np.ones((1, 3), np.float32))


def test_a_shared_parameter_loads_under_each_name():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    model.load_state_dict({"0.weight": np.eye(2), "1.weight": np.eye(2)})
    np.testing.assert_array_equal(np.asarray(model[1].weight), np.eye(2))
    with pytest.raises(RuntimeError, match=r'Missing key.*"1.weight"'):
        model.load_state_dict({"0.weight": np.eye(2)})


def test_copy_state_of_the_tests_is_exact(rng):
    ours, twin = pair()
    fill_randomly(twin, rng)
    copy_state(twin, ours.double())
    assert_states_equal(ours.state_dict(), twin.state_dict())
