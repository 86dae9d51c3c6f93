"""Outputs of kernels that are made as slices of their concatenation: `kernels.placement`."""

import numpy as np
import pytest

import minception as mc
from minception import functional as F
from minception import kernels, nn
from minception.kernels.dispatch import observe
from minception.kernels.placement import Joint, Places, join, new_images
from minception.models import create
from minception.models.joining import joins_branches

SHAPE, WIDE = (2, 16, 4, 5), (2, 32, 4, 5)  # whole lines of the cache in float32 and in float64


def filled(shape, number, dtype=np.float32):
    images = new_images(shape, dtype)
    images[...] = number
    return images


def joined_twice(block):
    """(what `block()` joined the first time, the second time given what was found)."""
    with Places() as places:
        first = join(block(), 1)
    with Places(places.found):
        return first, join(block(), 1)


def test_outputs_take_the_places_that_were_found():
    def block():
        filled(SHAPE, 7)  # not joined
        return [filled(SHAPE, 1), filled(WIDE, 2), np.full(SHAPE, 3, np.float32)]  # the last was not made here

    first, second = joined_twice(block)
    assert first is None
    assert second.shape == (2, 64, 4, 5)
    np.testing.assert_array_equal(second[0, :, 0, 0], [1] * 16 + [2] * 32 + [3] * 16)
    assert second.transpose(0, 2, 3, 1).flags.c_contiguous


def test_what_is_found():
    with Places() as places:
        filled(SHAPE, 7)
        join([filled(WIDE, 1), filled(SHAPE, 2)], -3)
    assert places.found == Joint((2, 48, 4, 5), np.dtype(np.float32), {1: (0, 32), 2: (32, 48)})


@pytest.mark.parametrize("change", ["order", "another is joined", "shape", "dtype", "not joined"])
def test_a_wrong_guess_joins_nothing_and_overwrites_nothing(change):
    with Places() as places:
        join([filled(SHAPE, 1), filled(SHAPE, 2)], 1)
    with Places(places.found):
        dtype, shape = np.float64 if change == "dtype" else np.float32, WIDE if change == "shape" else SHAPE
        made = [filled(shape, number, dtype) for number in (1, 2, 3)]
        parts = {"order": made[1::-1], "another is joined": [made[0], made[2]], "not joined": made[2:]}
        assert join(parts.get(change, made[:2]), 1) is None
        for number, images in enumerate(made, 1):
            assert (images == number).all()


def test_slices_that_share_a_line_of_the_cache_are_copied():
    first, second = joined_twice(lambda: [filled((1, 16, 2, 2), 1), filled((1, 24, 2, 2), 2)])
    assert first is second is None


@pytest.mark.parametrize("axis, shapes", [(0, [SHAPE, SHAPE]), (2, [SHAPE, SHAPE]), (1, [SHAPE, (2, 16, 4, 6)])])
def test_only_channels_of_images_of_one_size_are_joined(axis, shapes):
    with Places() as places:
        assert join([filled(shape, 1) for shape in shapes], axis) is None
    assert places.found is None
    assert join([np.ones((2, 3)), np.ones((2, 3))], 1) is None


def test_batch_norm_writes_slices():
    x = np.random.default_rng(0).normal(size=(3, 16, 7, 6)).astype(np.float32)
    weight, bias = np.linspace(-1, 2, 16, dtype=np.float32), np.linspace(0, 1, 16, dtype=np.float32)

    def block():
        return [
            kernels.batch_norm_train(x, weight, bias)[0],
            kernels.batch_norm_relu_train(x, weight, bias)[0],
            kernels.batch_norm_relu_eval(x, bias, bias, weight, bias),
        ]

    _, joined = joined_twice(block)
    np.testing.assert_array_equal(joined, np.concatenate(block(), 1))


def count_concatenations(function):
    """(how often `function()` ran the kernel that concatenates, its result)."""
    names = []

    def look(subject, kernel, args, kwargs):
        names.append(subject)
        return kernel(*args, **kwargs)

    with observe(look):
        result = function()
    return names.count("concatenate"), result


def step(model, images):
    """Logits and all gradients of a training step, or the logits of an evaluation, as arrays."""
    mc.manual_seed(0)  # of dropout
    if not model.training:
        with mc.no_grad():
            return [model(images).numpy().copy()]
    model.zero_grad()
    logits = model(images)
    (logits * logits).sum().backward()
    return [logits.detach().numpy().copy(), *(p.grad.numpy().copy() for p in model.parameters())]


NETWORKS = [
    ("googlenet", 32, {"aux_logits": False}),
    ("inception_v3", 75, {"aux_logits": False, "width": 0.5}),
    ("inception_v4", 75, {"width": 0.5}),
]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name, size, options", NETWORKS, ids=[name for name, _, _ in NETWORKS])
def test_networks_copy_nothing_and_compute_the_same_bits(name, size, options, training):
    model = create(name, num_classes=3, **options).train(training)
    images = mc.from_numpy(np.random.default_rng(1).normal(size=(2, 3, size, size)).astype(np.float32))
    first, expected = count_concatenations(lambda: step(model, images))
    second, arrays = count_concatenations(lambda: step(model, images))
    assert first > 0
    assert second == 0
    for array, wanted in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, wanted)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 16, 1), nn.Conv2d(2, 32, 1)

    @joins_branches
    def forward(self, x):
        return F.cat([self.one(x), self.two(x)], dim=1)


def images_of(size):
    return mc.from_numpy(np.random.default_rng(size).normal(size=(1, 2, size, size)).astype(np.float32))


def test_hooks_see_memory_that_nothing_else_uses():
    block, seen = Block(), []
    block(images_of(4))
    block.one.register_forward_hook(lambda module, args, output: seen.append(output))
    whole = block(images_of(4))
    assert not np.shares_memory(seen[0].numpy(), whole.numpy())


def test_an_error_inside_leaves_no_places_behind():
    block = Block()
    block(images_of(4))
    with pytest.raises(ValueError, match="channels"):
        block(mc.from_numpy(np.zeros((1, 5, 4, 4), np.float32)))
    assert join([np.ones(SHAPE)], 1) is None


def test_a_block_remembers_few_shapes():
    block = Block()
    for size in range(1, 40):
        for _ in range(2):
            whole = block(images_of(size)).numpy()
            np.testing.assert_array_equal(whole[:, :16], block.one(images_of(size)).numpy())
    assert len(block._joints) <= 16


def test_reference_kernels_copy():
    model = create("mini_inception", num_classes=3).eval()
    with kernels.use_kernels("reference"):
        counts = [count_concatenations(lambda: step(model, images_of_network()))[0] for _ in range(2)]
    assert counts == [4, 4]


def images_of_network():
    return mc.from_numpy(np.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(np.float32))


def test_hooks_that_keep_nothing_change_nothing():
    block, calls = Block(), []

    def look(module, args, output):
        calls.append(module)

    look.keeps_nothing = True
    block.one.register_forward_hook(look)
    block(images_of(4))
    assert count_concatenations(lambda: block(images_of(4)))[0] == 0
    assert len(calls) == 2
