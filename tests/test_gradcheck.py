"""The gradient checker itself: it must pass what is right and fail what is wrong, naming the element."""

import re

import numpy as np
import pytest

import minception as mc
from minception import functional as F
from minception.autograd import Function
from minception.gradcheck import DIRECTIONS, ELEMENTWISE_LIMIT, GradcheckError, gradcheck


def leaf(array):
    return mc.Tensor(np.asarray(array, np.float64), requires_grad=True)


class WrongCube(Function):
    """x ** 3, whose gradient is off by `error` at some flat `positions`."""

    def forward(self, x, positions, error):
        self.save(x=x)
        self.positions, self.error = positions, error
        return x**3

    def backward(self, grad_output):
        slope = 3 * self.saved.x**2
        slope.flat[self.positions] += self.error
        return grad_output * slope


def named(error):
    """(index, analytic, numeric) from the message."""
    text = re.search(r"worst element \(([\d, ]*)\): analytic (\S+), numeric ([-\d.e+]+)", str(error.value))
    return tuple(int(i) for i in text[1].split(",") if i.strip()), float(text[2]), float(text[3])


# Right gradients pass

SMALL, LARGE = (3, 4), (100, 100)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), SMALL, LARGE])
def test_right_gradients(shape, rng):
    x = leaf(rng.standard_normal(shape))
    assert mc.gradcheck(lambda t: t * t.tanh() + t.sum(), x) is True
    assert mc.gradcheck(lambda t: WrongCube.apply(t, positions=[], error=1.0), [x])


def test_both_modes_are_reached():
    assert np.prod(SMALL) <= ELEMENTWISE_LIMIT < np.prod(LARGE)


def test_several_inputs_and_outputs(rng):
    x, w, b = (leaf(rng.standard_normal(shape)) for shape in ((2, 3, 5, 4), (4, 3, 3, 2), (4,)))
    constant = mc.Tensor(rng.standard_normal((4, 1, 1)))

    def network(x, w, b, constant):
        y = F.conv2d(x, w, b, padding=1)
        y = F.elu(F.batch_norm(y, None, None, b * b + 1, b, training=True) * constant)
        return F.max_pool2d(y, 2), F.softmax(y, 1), y.max(1).indices

    assert gradcheck(network, (x, w, b, constant))


def test_inputs_of_any_strides(rng):
    base = rng.standard_normal((4, 6))
    for array in (base.T, base[::-1, ::2], np.asfortranarray(base)):
        x = mc.from_numpy(array).requires_grad_()
        before = array.copy()
        assert gradcheck(lambda t: (t @ t.T).tanh(), x)
        np.testing.assert_array_equal(array, before)
        assert x.grad is None


def test_outputs_that_do_not_depend_on_an_input(rng):
    x, y = leaf(rng.standard_normal(3)), leaf(rng.standard_normal(3))
    assert gradcheck(lambda x, y: (x * 2, x.detach() * 3 - x.detach() * 3), (x, y))


def test_the_random_state_is_left_alone(rng):
    state = mc.default_generator().bit_generator.state
    gradcheck(lambda t: t.exp(), leaf(rng.standard_normal(3)))
    assert mc.default_generator().bit_generator.state == state


# Wrong gradients fail


@pytest.mark.parametrize("shape", [SMALL, (300, 20), LARGE])
@pytest.mark.parametrize("error", [1.0, -0.3, np.inf, np.nan])
@pytest.mark.parametrize("place", [0, 0.37, 1])
def test_one_wrong_element_is_named(shape, error, place, rng):
    """Among 12 and among 10,000 elements, with the analytic and the numeric value of the scalar <v, f(x)>."""
    x = leaf(rng.uniform(0.5, 1.5, shape))
    position = int(place * (x.numel() - 1))
    with pytest.raises(GradcheckError, match="gradcheck: input 0: worst element") as raised:
        gradcheck(lambda t: WrongCube.apply(t, positions=[position], error=error), x)
    index, analytic, numeric = named(raised)
    assert index == np.unravel_index(position, shape)
    cotangent = np.random.default_rng(0).standard_normal(shape)[index]
    slope = 3 * x.numpy()[index] ** 2
    np.testing.assert_allclose(numeric, cotangent * slope, rtol=1e-4)
    np.testing.assert_allclose(analytic, cotangent * (slope + error), rtol=1e-8)


def test_a_false_result_instead_of_an_error(rng):
    x = leaf(rng.standard_normal(SMALL))
    assert gradcheck(lambda t: WrongCube.apply(t, positions=[3], error=1.0), x, raise_exception=False) is False


def test_the_worst_of_several_elements_is_named(rng):
    x = leaf(np.ones(SMALL))
    errors = np.zeros(12)
    errors[[2, 5, 7]] = [0.1, -5.0, 0.2]
    with pytest.raises(GradcheckError, match=r"\(3 of 12 disagree\)") as raised:
        gradcheck(lambda t: WrongCube.apply(t, positions=slice(None), error=errors), x)
    assert named(raised)[0] == (1, 1)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_a_factor_everywhere_is_noticed(shape, rng):
    class Doubled(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, grad_output):
            return 1.01 * grad_output

    with pytest.raises(GradcheckError):
        gradcheck(Doubled.apply, leaf(rng.standard_normal(shape)))


def test_a_missing_gradient_is_noticed(rng):
    x, y = leaf(rng.standard_normal(3)), leaf(rng.standard_normal(3))
    with pytest.raises(GradcheckError, match=r"input 1: worst element .* analytic 0, numeric"):
        gradcheck(lambda x, y: x * y.detach(), (x, y))


def test_the_wrong_one_of_two_inputs_is_named(rng):
    x, y = leaf(rng.standard_normal(LARGE)), leaf(rng.standard_normal(SMALL))
    with pytest.raises(GradcheckError, match=r"input 1: worst element \(2, 3\)"):
        gradcheck(lambda x, y: (x.tanh(), WrongCube.apply(y, positions=[11], error=1.0)), (x, y))


def test_a_gradient_that_a_sum_would_hide(rng):
    """Batch norm's input gradient vanishes under a cotangent of ones; the checker draws another."""

    class Stopped(Function):
        def forward(self, x):
            return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)

        def backward(self, grad_output):
            return np.zeros_like(grad_output)

    with pytest.raises(GradcheckError):
        gradcheck(Stopped.apply, leaf(rng.standard_normal((5, 3))))


def test_tolerances_decide(rng):
    x = leaf(np.ones(4))

    def slightly_wrong(t):
        return WrongCube.apply(t, positions=[1], error=0.01)

    assert gradcheck(slightly_wrong, x, rtol=0.1)
    assert gradcheck(slightly_wrong, x, atol=0.1)
    assert not gradcheck(slightly_wrong, x, raise_exception=False)


def test_seeds_choose_the_directions(rng):
    x = leaf(rng.standard_normal(LARGE))
    for seed in range(3):
        assert gradcheck(lambda t: t.tanh(), x, seed=seed)
    assert DIRECTIONS >= 4


# What cannot be checked


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([mc.Tensor(np.ones(2))], "gradcheck: no input requires a gradient"),
        ([np.ones(2), 3.0], "gradcheck: no input requires a gradient"),
        ([mc.Tensor([1.0], requires_grad=True)], "gradcheck: input 0 must be a float64 leaf"),
        ([mc.Tensor(np.ones(2)), mc.Tensor([1.0], requires_grad=True)], "gradcheck: input 1 must be a float64 leaf"),
        ([leaf([1.0]) * 2], "gradcheck: input 0 must be a float64 leaf"),
    ],
)
def test_refused_inputs(inputs, words):
    with pytest.raises(ValueError, match=words):
        gradcheck(lambda *t: t[0] * 2, inputs)


def test_refused_functions(rng):
    x = leaf(np.ones(20))
    with pytest.raises(ValueError, match="gives different values for the same inputs"):
        gradcheck(lambda t: F.dropout(t, 0.5), x)
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="gives different values"):
        gradcheck(lambda t: t * generator.standard_normal(), x)
    with pytest.raises(ValueError, match=r"floating outputs must be float64, got \['float32'\]"):
        gradcheck(lambda t: t.float(), x)
    assert gradcheck(lambda t: F.dropout(t, 0.5, generator=np.random.default_rng(3)), x)
