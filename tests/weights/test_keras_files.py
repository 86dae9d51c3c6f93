"""Files in the styles of Keras 1, 2 and 3, written with h5py: every array arrives at its place."""

import zipfile

import h5py
import numpy as np
import pytest

from minception.weights import WeightsError, load_weights
from minception.weights.keras import read_keras
from tests.weights.keras_files import STYLES, write_zip
from tests.weights.keras_models import NETWORKS, assert_same, keras3, legacy, model_head, small


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("network", NETWORKS)
def test_legacy_files(network, style, tmp_path):
    model = small(network)
    for group, pieces in ((None, 1), ("model_weights", 3)):
        arrays = legacy(tmp_path / "weights.h5", network, model, style, group, pieces)
        assert_same(read_keras(tmp_path / "weights.h5", model), arrays)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("network", NETWORKS)
def test_keras_3_files(network, named, tmp_path):
    model, path = small(network), tmp_path / "model.weights.h5"
    arrays = keras3(path, network, model, named)
    assert_same(read_keras(path, model), arrays)
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        write_zip(tmp_path / "model.keras", path.read_bytes(), compression=compression)
        assert_same(read_keras(tmp_path / "model.keras", model), arrays)
    with h5py.File(path, "r+") as file:  # Keras 2.13
        file.move("layers", "_layer_checkpoint_dependencies")
    assert_same(read_keras(path, model), arrays)


@pytest.mark.parametrize("network", ["inception_resnet_v2", "inception_v3"])
def test_a_batch_norm_without_scale_has_weight_one(network, tmp_path):
    model = small(network)
    for write in (legacy, keras3):
        arrays = write(tmp_path / "weights.h5", network, model, scale=False)
        for name in arrays:
            if name.endswith("bn.weight"):
                arrays[name] = np.ones_like(arrays[name])
        assert_same(read_keras(tmp_path / "weights.h5", model), arrays)


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2"])
def test_dtypes(dtype, tmp_path):
    model = small("xception")
    arrays = keras3(tmp_path / "weights.h5", "xception", model, dtype=np.dtype(dtype))
    native = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
    assert_same(read_keras(tmp_path / "weights.h5", model), native)


def test_compressed_arrays(tmp_path):
    model = small("xception")
    arrays = keras3(tmp_path / "plain.h5", "xception", model)
    with h5py.File(tmp_path / "plain.h5") as plain, h5py.File(tmp_path / "compressed.h5", "w") as compressed:

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                compressed.create_dataset(name, data=item[()], compression="gzip", shuffle=True)

        plain.visititems(copy)
    assert_same(read_keras(tmp_path / "compressed.h5", model), arrays)


def test_other_channels_and_classes(tmp_path):
    written = small("xception", in_channels=1, num_classes=3)
    arrays = keras3(tmp_path / "weights.h5", "xception", written)
    assert_same(read_keras(tmp_path / "weights.h5", small("xception", in_channels=1)), arrays)


@pytest.mark.parametrize("network", NETWORKS)
def test_without_a_head(network, tmp_path):
    model, path = small.__wrapped__(network), tmp_path / "weights.h5"
    head = model_head(network)
    for write in (legacy, keras3):
        arrays = write(path, network, model, head=False)
        body = {name: array for name, array in arrays.items() if not name.startswith(f"{head}.")}
        assert_same(read_keras(path, model), body)
        before = model.state_dict()
        load_weights(model, path, head="new")
        after = {name: array for name, array in model.state_dict().items() if name in arrays}
        assert_same(after, {name: body.get(name, before[name]) for name in arrays})
        with pytest.raises(WeightsError, match=rf"{head}\.weight"):
            load_weights(model, path)


def test_another_head(tmp_path):
    """A head of several dense layers fits no model, but the rest does."""
    model, path = small("xception"), tmp_path / "weights.h5"
    arrays = legacy(path, "xception", model, head=False)
    with h5py.File(path, "r+") as file:
        for name, shape in (("hidden", (104, 5)), ("classes", (5, 2))):
            file[f"{name}/kernel"], file[f"{name}/bias"] = np.zeros(shape), np.zeros(shape[1])
    with pytest.raises(WeightsError, match=r"several dense layers \(classes, hidden\), .* head=\"new\""):
        read_keras(path, model)
    body = {name: array for name, array in arrays.items() if not name.startswith("fc.")}
    assert_same(read_keras(path, model, head=False), body)
