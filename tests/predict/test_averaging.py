"""Probabilities averaged over views and networks, against PyTorch; order, ties, and pictures that cannot be used."""

import numpy as np
import pytest
import torch

import minception.functional as F
from minception import nn
from minception.models import Preprocessing
from minception.predict import Classifier, PictureError, Prediction, RankedClass, crops_of, predict, probabilities
from minception.predict.averaging import rank
from minception.train.config import ConfigError
from minception.train.errors import RunError

from .small import PREPROCESSING, Small, noise, twin

NAMES = tuple("abcdefg")
PICTURES = [noise(50, 40, 1), noise(41, 90, 2), noise(64, 64, 3)]


def classifier(seed=0, names=NAMES, preprocessing=PREPROCESSING):
    """A `Small` with the weights of a twin."""
    model = Small(len(names))
    model.load_state_dict({name: value.numpy() for name, value in twin(len(names), seed).state_dict().items()})
    return Classifier(f"network {seed}", model, preprocessing, names)


def by_torch(picture, crops, seed=0, preprocessing=PREPROCESSING):
    """The mean softmax in float64, each view standardised and classified by itself."""
    model = twin(len(NAMES), seed).double()
    results = []
    for view in crops_of(picture, preprocessing, crops):
        image = torch.from_numpy(np.array(view)).permute(2, 0, 1).double() / 255
        mean, std = (torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
        results.append(model(((image - mean) / std)[None]).softmax(1)[0].detach().numpy())
    return np.mean(results, axis=0)


@pytest.mark.parametrize(("crops", "batch_size"), [(1, 1), (1, 2), (1, 64), (10, 1), (10, 7), (144, 7), (144, 64)])
def test_probabilities_are_those_of_torch(crops, batch_size):
    found = list(probabilities(classifier(), PICTURES, crops=crops, batch_size=batch_size))
    assert len(found) == 3
    for picture, values in zip(PICTURES, found, strict=True):
        assert values.dtype == np.float64 and abs(values.sum() - 1) < 1e-12
        np.testing.assert_allclose(values, by_torch(picture, crops), rtol=1e-4, atol=1e-6)


def test_log_probabilities_are_as_good_as_logits():
    class LogSoftmax(Small):
        def forward(self, x):
            return F.log_softmax(super().forward(x), dim=1)

    plain = classifier()
    model = LogSoftmax(len(NAMES))
    model.load_state_dict(plain.model.state_dict())
    other = Classifier("-", model, PREPROCESSING, NAMES)
    for a, b in zip(probabilities(plain, PICTURES), probabilities(other, PICTURES), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_predictions():
    predictions = list(predict(classifier(), PICTURES, top=3))
    for picture, prediction in zip(PICTURES, predictions, strict=True):
        expected = by_torch(picture, 1)
        assert isinstance(prediction, Prediction) and prediction.image is picture and prediction.error is None
        assert [ranked.index for ranked in prediction.classes] == np.argsort(-expected)[:3].tolist()
        for ranked in prediction.classes:
            assert isinstance(ranked, RankedClass) and ranked.name == NAMES[ranked.index]
            assert type(ranked.index) is int and type(ranked.probability) is float
            np.testing.assert_allclose(ranked.probability, expected[ranked.index], rtol=1e-4)


def test_ties_go_to_the_lower_index():
    values = np.array([0.1, 0.3, 0.1, 0.3, 0.1, 0.1])
    assert [ranked.index for ranked in rank(values, "abcdef", 5)] == [1, 3, 0, 2, 4]
    assert rank(values, "abcdef", 1) == (RankedClass(1, "b", 0.3),)
    assert len(rank(values, "abcdef", 9)) == 6
    assert [ranked.index for ranked in rank(np.full(1000, 0.001), range(1000), 50)] == list(range(50))


def test_an_ensemble_is_the_mean():
    """The members may prepare pictures differently."""
    other = Preprocessing(35, 33, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), interpolation="bicubic")
    members = [classifier(0), classifier(1), classifier(2, preprocessing=other)]
    for crops in (1, 10):
        found = list(predict(members, PICTURES, top=7, crops=crops, batch_size=4))
        for picture, prediction in zip(PICTURES, found, strict=True):
            each = [by_torch(picture, crops, 0), by_torch(picture, crops, 1), by_torch(picture, crops, 2, other)]
            expected = np.mean(each, axis=0)
            values = {ranked.index: ranked.probability for ranked in prediction.classes}
            np.testing.assert_allclose([values[k] for k in range(7)], expected, rtol=1e-4, atol=1e-6)


def test_ensembles_that_do_not_agree():
    with pytest.raises(ConfigError, match=r"cannot be averaged: network 0 has 7, network 1 has 3$"):
        predict([classifier(), classifier(1, "abc")], PICTURES)
    with pytest.raises(ConfigError, match=r"class 2 is 'c' for network 0, 'x' for network 1$"):
        predict([classifier(), classifier(1, "abxdefg")], PICTURES)


@pytest.mark.parametrize("crops", [1, 10])
@pytest.mark.parametrize("batch_size", [1, 3, 16, 100])
def test_pictures_that_cannot_be_used(crops, batch_size, tmp_path):
    """The others get what they get alone, all in order."""
    (tmp_path / "text.jpg").write_text("no picture")
    paths = []
    for index, picture in enumerate(PICTURES):
        paths.append(tmp_path / f"{index}.png")
        picture.save(paths[-1])
    narrow = tmp_path / "narrow.png"
    noise(1, 50_000).save(narrow)
    images = [tmp_path / "absent.png", paths[0], paths[1], tmp_path / "text.jpg", narrow, paths[2], paths[0]]
    members = [classifier(), classifier(1)]
    found = list(predict(members, images, crops=crops, batch_size=batch_size))
    assert [prediction.image for prediction in found] == images
    assert [prediction.error is None for prediction in found] == [False, True, True, False, False, True, True]
    assert [str(prediction.error) for prediction in found if prediction.error] == [
        f"{tmp_path}/absent.png: no such file",
        f"{tmp_path}/text.jpg: not a picture in a known format",
        f"{tmp_path}/narrow.png: 1 x 50000 pixels are too long and narrow to be resized",
    ]
    good = [prediction for prediction in found if prediction.error is None]
    for path, prediction in zip([paths[0], paths[1], paths[2], paths[0]], good, strict=True):
        (alone,) = predict(members, [path], crops=crops)
        np.testing.assert_allclose(
            [ranked.probability for ranked in prediction.classes],
            [ranked.probability for ranked in alone.classes],
            rtol=1e-5,
        )
    assert [prediction for prediction in found if prediction.error] and found[0].classes == ()
    (error,) = probabilities(classifier(), [narrow])
    assert isinstance(error, PictureError)


def test_no_more_than_a_batch_is_prepared():
    """Pictures are read when they are needed, and views come in batches."""
    sizes, read = [], []

    class Watched(Small):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    def images():
        for index in range(5):
            read.append(index)
            yield PICTURES[0]

    watched = Classifier("-", Watched(7), PREPROCESSING, NAMES)
    results = predict(watched, images(), batch_size=2)
    assert read == []
    next(results)
    assert read == [0, 1]
    assert len(list(results)) == 4 and read == [0, 1, 2, 3, 4]
    assert sizes == [2, 2, 1]
    sizes.clear()
    assert len(list(predict(watched, images(), crops=10, batch_size=16))) == 5
    assert sizes == [16, 16, 16, 2]
    assert list(predict(watched, [])) == []


def test_networks_are_put_into_evaluation():
    class WithDropout(Small):
        def forward(self, x):
            return F.dropout(super().forward(x), 0.5, self.training)

    model = WithDropout(7).train()
    network = Classifier("-", model, PREPROCESSING, list(NAMES))
    assert not model.training and network.class_names == NAMES
    first, second = probabilities(network, [PICTURES[0]] * 2)
    np.testing.assert_allclose(first, second, rtol=1e-6)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_networks_of_no_use():
    network = classifier()
    nn.init.constant_(network.model.fc.bias, np.nan)
    with pytest.raises(RunError, match=r"^network 0: the network's outputs are not finite; its weights are of no use$"):
        list(predict(network, PICTURES))
    wrong = Classifier("wrong", Small(7), PREPROCESSING, NAMES[:6])
    with pytest.raises(RunError, match=r"^wrong: the network's outputs have shape \(3, 7\), expected \(3, 6\)$"):
        list(predict(wrong, PICTURES))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: predict([], PICTURES), ValueError, "classifiers must not be empty"),
        (lambda: predict([Small(7)], PICTURES), TypeError, "classifiers must be Classifiers, got Small"),
        (lambda: predict(classifier(), "cat.jpg"), TypeError, "images must be a list .*, got str"),
        (lambda: predict(classifier(), 3), TypeError, "images must be a list .*, got int"),
        (lambda: predict(classifier(), PICTURES, top=0), ValueError, "top must be at least 1, got 0"),
        (lambda: predict(classifier(), PICTURES, top=2.5), TypeError, "top must be an integer, got 2.5"),
        (lambda: predict(classifier(), PICTURES, crops=5), ValueError, "crops must be one of 1, 10, 144, got 5"),
        (lambda: predict(classifier(), PICTURES, batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: probabilities(Small(7), PICTURES), TypeError, "classifier must be a Classifier, got Small"),
        (lambda: list(predict(classifier(), [3])), TypeError, "image must be a path, a PIL image or an array, got int"),
        (lambda: Classifier("-", 3, PREPROCESSING, NAMES), TypeError, "model must be a Module, got int"),
        (lambda: Classifier("-", Small(7), None, NAMES), TypeError, "preprocessing must be a Preprocessing, got None"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
