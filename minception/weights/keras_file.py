"""The layers and arrays of a Keras file, read without running, unpickling or following anything.

Three forms, all HDF5 inside (https://docs.hdfgroup.org/hdf5/develop/_f_m_t4.html):

- legacy `.h5`, whole models (under `model_weights`) and weights alone: a group for each layer, under its name, with
  arrays whose names end in "kernel", "beta", ...; a model inside a model is a group with such groups;
- Keras 3's `.weights.h5`: arrays `layers/conv2d_17/vars/0`, numbered by kind in the order of `model.layers`, whatever
  the layer's own name is. A model inside a model has `layers` of its own;
- Keras 3's `.keras`: a zip that holds the former as `model.weights.h5`. Nothing else in it is read.

HDF5 can refer to other files (external and soft links, external and virtual datasets), can hold Python objects, and can
declare arrays that are larger than the file: all of that is refused, arrays before their first byte is read. Attributes
are not read at all: on a damaged file HDF5 can search forever for their text, as it stands elsewhere in the file.
"""

import io
import math
import mmap
import os
import re
import zipfile
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np

from .errors import FormatError
from .keras_names import CONVOLUTION, DENSE, NORM, SEPARABLE

HDF5_MAGIC, ZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
ZIP_MEMBER = "model.weights.h5"
LAYER_GROUPS = "layers", "_layer_checkpoint_dependencies"  # the second name is Keras 2.13's
MAXIMUM_CHUNK = 1 << 20  # elements; HDF5 decompresses a chunk as a whole, however small the array is
MAXIMUM_BYTES = 1 << 29  # of one array: a head of 21,841 classes in float64 takes 0.36 GB
# The axes of a layer's arrays tell its kind: a kernel and perhaps a bias; depthwise and pointwise kernel; perhaps a
# scale, then offset, mean and variance; kernel and bias of a dense layer.
KINDS = {
    (4,): CONVOLUTION,
    (4, 1): CONVOLUTION,
    (4, 4): SEPARABLE,
    (1, 1, 1): NORM,
    (1, 1, 1, 1): NORM,
    (2, 1): DENSE,
}
# Names of arrays, those of Keras 1 included (its "running_std" is the variance), in the order of `KINDS`.
ROLES = (
    *("depthwise_kernel", "pointwise_kernel", "kernel", "W", "bias", "b"),
    *("gamma", "beta", "moving_mean", "running_mean", "moving_variance", "running_std"),
)
ROLE = re.compile(rf"(?:^|_)({'|'.join(ROLES)})(?:_\d+)?(?::\d+)?$")


@dataclass(frozen=True)
class FileLayer:
    """A layer with arrays: where it stands, its own name (None in Keras 3's files), its kind (one of `keras_names`, or
    None), HDF5 datasets by name."""

    place: str
    name: str | None
    kind: str | None
    datasets: dict

    def read(self, shape, index):
        """The array at `index`, which must have the given shape (None for an axis of any length), as a NumPy array."""
        name, dataset = list(self.datasets.items())[index]
        with _damage():
            _check(f"{self.place}/{name}", dataset, shape)
            array = np.asarray(dataset[()])
            return array.astype(array.dtype.newbyteorder("="), copy=False)


@contextmanager
def opened(path, limit):
    """Context of the list of all layers with arrays in the Keras file `path`, as `FileLayer`: in any order if they have
    names, else in the order of `model.layers` within each kind. `limit`: the most bytes to take from a zip.

    Raises FormatError, also for a missing h5py.
    """
    magic = _first_bytes(path)
    try:
        import h5py
    except ImportError:
        raise FormatError("reading Keras files needs h5py: pip install 'minception[keras]'") from None
    if magic == HDF5_MAGIC and _contains(path, b"theano"):  # the value of a legacy file's attribute `backend`
        raise FormatError("written by Keras on Theano, whose kernels are flipped: save it again on another backend")
    if magic.startswith(ZIP_MAGIC):
        source = {"name": io.BytesIO(_zip_member(path, limit))}
    elif magic == HDF5_MAGIC:
        source = {"name": path, "locking": False}  # a read-only folder has no locks
    else:
        raise FormatError("empty file" if not magic else "not a Keras file: neither HDF5 nor a zip")
    with _damage():
        root = h5py.File(mode="r", **source)
    with closing(root):
        with _damage():
            layers = list(_layers(root))
        yield layers


def _first_bytes(path):
    if not os.path.isfile(path):  # opening a pipe would wait for its other end
        raise FormatError("not a regular file" if os.path.exists(path) else "no such file")
    try:
        with open(path, "rb") as file:
            return file.read(len(HDF5_MAGIC))
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}") from None


def _contains(path, word):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(word) >= 0


def _zip_member(path, limit):
    """The bytes of the weights in a `.keras` file; the zip's checksum is compared."""
    with _damage(), zipfile.ZipFile(path) as archive:
        if ZIP_MEMBER not in archive.namelist():
            raise FormatError(f"a zip without {ZIP_MEMBER}, so none that Keras wrote")
        size = archive.getinfo(ZIP_MEMBER).file_size
        if size > limit:
            raise FormatError(f"{ZIP_MEMBER} in it takes {size:,} bytes, more than this network's could ({limit:,})")
        return archive.read(ZIP_MEMBER)


@contextmanager
def _damage():
    """What h5py and zipfile raise on a damaged file, as a FormatError."""
    try:
        yield
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(f"damaged or truncated: {error}") from error


# ------------------------------------------------------------------------------------------------ layers


def _layers(root):
    group = _child(root, "model_weights") if _has(root, "model_weights") else root
    if "layer_names" in group.attrs or "layer_names0" in group.attrs:  # of many layers it is cut into pieces
        return _named_layers(group)
    for name in LAYER_GROUPS:
        if _has(root, name):
            return _numbered_layers(_child(root, name), name, set())
    raise FormatError("an HDF5 file, but none that Keras wrote: it has neither layer_names nor layers")


def _named_layers(group):
    """The layers of a legacy file, in any order."""
    visited = set()
    for name in _entered(group, group.name, visited):
        folders = {}
        _collect(_child(group, name), name, folders, visited)
        for folder, datasets in folders.items():
            own_name = name if len(folders) == 1 else folder.rpartition("/")[2]
            yield _named_layer(folder, own_name, datasets)


def _collect(item, place, folders, visited):
    """Put all arrays below the group `item` into `folders`: place of the group -> name -> array."""
    import h5py

    for name in _entered(item, place, visited):
        child = _child(item, name)
        if isinstance(child, h5py.Group):
            _collect(child, f"{place}/{name}", folders, visited)
        else:
            folders.setdefault(place, {})[name] = _array(item, name)


def _named_layer(place, name, datasets):
    """The layer with these arrays, put in order by what their names say they are; `kind` is None if they do not."""
    found = {}
    for key, dataset in datasets.items():
        role = ROLE.search(key)
        found[role and ROLES.index(role[1])] = key, dataset
    if None in found or len(found) < len(datasets):
        return FileLayer(place, name, None, datasets)
    datasets = dict(found[role] for role in sorted(found))
    kind = _kind(datasets)
    if kind == NORM and ROLES.index("beta") not in found:
        kind = None
    return FileLayer(place, name, kind, datasets)


def _numbered_layers(group, place, visited):
    """The layers under a `layers` group, in the order of their numbers within each kind. `visited`: the addresses of
    the groups seen so far; as a group can be its own child, and everybody's, none is entered twice."""
    for key in sorted(_entered(group, place, visited), key=number):
        layer = _child(group, key)
        if _has(layer, "vars"):
            variables = _entered(_child(layer, "vars"), f"{place}/{key}/vars", visited)
            arrays = {str(index): _array(variables, str(index)) for index in range(len(variables))}
            if arrays:
                yield FileLayer(f"{place}/{key}", None, _kind(arrays), arrays)
        if _has(layer, "layers"):
            yield from _numbered_layers(_child(layer, "layers"), f"{place}/{key}/layers", visited)


def _kind(datasets):
    return KINDS.get(tuple(dataset.ndim for dataset in datasets.values()))


def number(name):
    """("conv2d", 17) of "conv2d_17" and ("conv2d", 0) of "conv2d"."""
    kind, digits = re.fullmatch(r"(.*?)(?:_(\d{1,9}))?", name, re.DOTALL).groups()
    return kind, int(digits or 0)


# -------------------------------------------------------------------------------------------------- HDF5


def _has(group, name):
    return group.id.links.exists(name.encode())


def _child(group, path):
    """The group or dataset at `path`, reached by hard links alone, which cannot leave the file."""
    import h5py

    for part in path.split("/"):
        if part in ("", ".") or not isinstance(group, h5py.Group) or not _has(group, part):
            raise FormatError(f"damaged: there is no {path!r} in {group.name}")
        if group.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise FormatError(f"{path!r} is a link to elsewhere, which is not followed")
        group = group[part]
    return group


def _entered(group, place, visited):
    """`group`, unless it was entered before or is no group."""
    import h5py

    if not isinstance(group, h5py.Group):
        raise FormatError(f"damaged: {place} is no group")
    address = h5py.h5o.get_info(group.id).addr
    if address in visited:
        raise FormatError(f"damaged: {place} stands in the file twice")
    visited.add(address)
    return group


def _array(group, path):
    import h5py

    dataset = _child(group, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise FormatError(f"damaged: {path!r} in {group.name} is no array")
    return dataset


def _check(where, dataset, shape):
    """Raise FormatError unless the dataset, called `where`, has this shape, and numbers of its own."""
    if dataset.dtype.kind != "f":
        raise FormatError(f"{where} holds {dataset.dtype}, not floating-point numbers")
    sizes = zip(shape, dataset.shape, strict=False)
    if len(shape) != dataset.ndim or any(expected not in (None, size) for expected, size in sizes):
        expected = str(shape).replace("None", "any")
        raise FormatError(f"{where} has shape {dataset.shape}, expected {expected}")
    if dataset.nbytes > MAXIMUM_BYTES:
        raise FormatError(f"{where} takes {dataset.nbytes:,} bytes, more than {MAXIMUM_BYTES:,}")
    if dataset.external or dataset.is_virtual:
        raise FormatError(f"{where} refers to another file, which is not followed")
    if dataset.chunks and math.prod(dataset.chunks) > max(dataset.size, MAXIMUM_CHUNK):
        raise FormatError(f"{where} is stored in chunks of shape {dataset.chunks}, larger than itself")
    if dataset.size and not dataset.id.get_storage_size():
        raise FormatError(f"{where} has no numbers: the file was not written to its end")
