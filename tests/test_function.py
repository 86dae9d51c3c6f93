"""Operations written by a user: the contract of `Function`, and what happens if it is broken."""

import numpy as np
import pytest

import minception as mc
from minception.autograd import Function


class Square(Function):
    def forward(self, x):
        self.save(x=x)
        return x * x

    def backward(self, grad_output):
        return 2 * self.saved.x * grad_output


class ScaledProduct(Function):
    """scale * a * b, b optional."""

    def forward(self, a, b, scale=1.0):
        self.scale = scale
        self.save(a=a, b=b)
        return scale * a * (1 if b is None else b)

    def backward(self, grad_output):
        grad = grad_output * self.scale
        a, b = self.saved.a, self.saved.b
        grad_b = grad * a if self.needs_input_grad[1] else None
        return [grad if b is None else grad * b, grad_b]


def leaf(data):
    return mc.Tensor(np.array(data, np.float64), requires_grad=True)


def test_a_user_s_operation():
    x = leaf([1.0, -3.0])
    y = Square.apply(x)
    assert y.grad_fn.name == "Square"
    assert repr(y) == "tensor([1., 9.], dtype=float64, grad_fn=<Square>)"
    (y * y).backward([1.0, 1.0])
    assert x.grad.tolist() == [4, -108]
    assert mc.gradcheck(Square.apply, [x])


def test_options_and_absent_inputs():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    ScaledProduct.apply(a, b, scale=2.0).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([6, 8], [2, 4])
    ScaledProduct.apply(a, None, scale=5.0).sum().backward()
    assert a.grad.tolist() == [11, 13]
    constant = mc.Tensor([1.0, 1.0])
    ScaledProduct.apply(a, constant).sum().backward()
    assert constant.grad is None


def test_needs_input_grad_is_known_in_the_forward_pass():
    seen = []

    class Spy(Function):
        def forward(self, *arrays):
            seen.append(self.needs_input_grad)
            return arrays[0].copy()

    x, constant = leaf([1.0]), mc.Tensor([1.0])
    Spy.apply(x, constant, None)
    with mc.no_grad():
        Spy.apply(x, constant)
    assert seen == [(True, False, False), (False, False)]


def test_views_share_the_memory_of_their_input():
    """An operation may return its input or a view; changes in place are noticed through either."""

    class Head(Function):
        def forward(self, x):
            return x[:1]

        def backward(self, grad_output):
            return np.concatenate([grad_output, [0.0]])

    class Same(Function):
        def forward(self, x):
            return x

        def backward(self, grad_output):
            return grad_output

    for operation in (Head, Same):
        x = leaf([1.0, 2.0])
        y = Square.apply(x)
        operation.apply(x).detach().zero_()
        with pytest.raises(RuntimeError, match="Square needs its input 0 as it was"):
            y.sum().backward()
        operation.apply(x).sum().backward()
        assert x.grad.tolist() == ([1, 0] if operation is Head else [1, 1])


def test_a_saved_part_of_an_input_is_watched():
    class Tail(Function):
        def forward(self, x):
            self.save(tail=x[1:])
            return x.sum()

        def backward(self, grad_output):
            return grad_output * np.append(0.0, self.saved.tail)

    x = leaf([1.0, 2.0])
    y = Tail.apply(x)
    x.data.zero_()
    with pytest.raises(RuntimeError, match="Tail needs its input 0"):
        y.backward()


def test_integer_outputs_are_not_recorded():
    class Sign(Function):
        def forward(self, x):
            return np.sign(x).astype(np.int64)

    y = Sign.apply(leaf([1.0, -2.0]))
    assert y.tolist() == [1, -1]
    assert not y.requires_grad


def test_gradients_are_cast_to_the_dtype_of_the_input():
    class Widen(Function):
        def forward(self, x):
            return x.astype(np.float64)

        def backward(self, grad_output):
            return grad_output

    x = mc.Tensor([1.0], requires_grad=True)
    Widen.apply(x).backward([1.0])
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (np.ones(3), r"Broken.backward: the gradient of input 0 must have shape \(2,\), got shape \(3,\)"),
        (np.ones((1, 2)), r"must have shape \(2,\), got shape \(1, 2\)"),
        (np.float64(1), r"must have shape \(2,\), got shape \(\)"),
        (1.0, r"must have shape \(2,\), got float without a shape"),
        (None, r"must have shape \(2,\), got NoneType without a shape"),
        ((np.ones(2), np.ones(2)), "Broken.backward: expected 1 gradients, one for each input, got 2"),
        ((), "expected 1 gradients, one for each input, got 0"),
    ],
)
def test_wrong_gradients_are_refused(result, words):
    class Broken(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, grad_output):
            return result

    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=words):
        Broken.apply(x).sum().backward()
    assert x.grad is None


def test_inputs_must_be_tensors():
    with pytest.raises(TypeError, match="ScaledProduct: input 1 must be a Tensor, got float"):
        ScaledProduct.apply(leaf([1.0]), 2.0)
