"""--whiten: the first convolution decorrelates the pixels of a patch, and stays as it is."""

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import checkpoint, models, nn
from minception.train.config import ConfigError, TrainConfig
from minception.train.whitening import FLOOR, whiten_first_convolution, whitening_filters


def smooth_images(count=300, size=12):
    """Noise of which neighbouring pixels share much, and the channels too: float32, standardised."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((count, 3, size + 2, size + 2))
    noise[:, 1] += 2 * noise[:, 0]
    smooth = sum(noise[:, :, i : i + size, j : j + size] for i in range(3) for j in range(3))
    return (smooth / smooth.std()).astype(np.float32)


def responses(images, filters, stride):
    """(responses, len(filters)) inside the images, as PyTorch's and our convolution computes them."""
    output = F.conv2d(mc.Tensor(images.astype(np.float64)), mc.Tensor(filters), stride=stride)
    return np.asarray(output).transpose(0, 2, 3, 1).reshape(-1, len(filters))


@pytest.mark.parametrize("kernel_size", [(3, 3), (1, 1), (2, 5)])
def test_responses_are_uncorrelated(kernel_size):
    images = smooth_images()
    filters = whitening_filters(images, kernel_size)
    assert filters.shape == (3 * kernel_size[0] * kernel_size[1], 3, *kernel_size)
    found = responses(images, filters, stride=2)
    covariance = found.T @ found / len(found)
    # By the floor the variance of a direction of variance v is v / (v + FLOOR), and lengths of filters tell v + FLOOR.
    floored = 1 / (filters.reshape(len(filters), -1) ** 2).sum(axis=1)
    np.testing.assert_allclose(covariance, np.diag((floored - FLOOR) / floored), atol=1e-10)
    assert np.all(np.diff(floored) < 0), "directions of large variance come first"
    other = responses(smooth_images()[:, :, 1:, 1:], filters, stride=2)  # patches that it was not computed from
    assert np.abs(other.T @ other / len(other) - np.diag(np.diag(covariance))).max() < 0.1


def test_the_sign_is_settled():
    for direction in whitening_filters(smooth_images(), (3, 3)):
        assert direction.max() > -direction.min()


def test_pixels_that_never_vary():
    filters = whitening_filters(np.zeros((4, 1, 8, 8), np.float32), (3, 3))
    np.testing.assert_allclose(np.linalg.norm(filters.reshape(9, 9), axis=1), FLOOR**-0.5)


def test_the_network_sees_each_direction_and_its_negative():
    model, images = models.create("mini_inception"), smooth_images()
    whiten_first_convolution(model, images)
    weight = model.stem[0].conv.weight
    expected = whitening_filters(images, (3, 3))[:16].astype(np.float32)
    np.testing.assert_array_equal(np.asarray(weight), np.concatenate([expected, -expected]))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in model.named_parameters()} - {"stem.0.conv.weight"}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(3, 56, 3), "has 56 channels, which must be an even number up to 54"),
        (nn.Conv2d(3, 15, 3), "has 15 channels, which must be an even number up to 54"),
        (nn.Conv2d(3, 6, 3, groups=3), "does not begin with a convolution of the whole image"),
        (nn.Conv2d(1, 6, 3), "does not begin with a convolution of the whole image"),
        (nn.Linear(3, 2), "does not begin with a convolution of the whole image"),
    ],
)
def test_networks_that_cannot(layer, message):
    with pytest.raises(ConfigError, match=f"--whiten: .*{message}"):
        whiten_first_convolution(nn.Sequential(layer), smooth_images(4))


@pytest.mark.parametrize(
    ("settings", "whiten"), [({}, True), ({"whiten": False}, False), ({"model": "googlenet"}, False)]
)
def test_default(settings, whiten):
    assert TrainConfig(**settings).resolve(available_threads=1).whiten is whiten


def test_the_run_is_not_begun(minception, tmp_path, capsys):
    options = ["--model", "googlenet", "--whiten", "--data", "synthetic", "--output", "run", "--no-progress"]
    assert minception("train", *options) == 2
    assert "--whiten: the first convolution has 192 channels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def weights(path):
    return checkpoint.load_weights(path / "weights.safetensors")


def test_a_run_leaves_the_filters_alone(quick, tmp_path):
    options = ["--whiten", "--schedule", "constant"]
    assert quick("--output", "run", "--epochs", 1, *options) == 0
    once = weights(tmp_path / "run")
    first = "stem.0.weight"
    np.testing.assert_array_equal(once[first][:4], -once[first][4:])
    assert quick("--resume", "run", "--epochs", 2) == 0
    quick("--output", "uninterrupted", "--epochs", 2, *options)
    resumed, uninterrupted = weights(tmp_path / "run"), weights(tmp_path / "uninterrupted")
    for name, array in resumed.items():
        np.testing.assert_array_equal(array, uninterrupted[name])
        assert np.array_equal(array, once[name]) == (name == first)
