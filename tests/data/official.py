"""Tiny files in the official CIFAR layouts, written from their description, not with the code under test."""

import gzip
import io
import struct
import tarfile
from dataclasses import dataclass

import numpy as np

FOLDERS = {
    ("cifar10", "python"): "cifar-10-batches-py",
    ("cifar10", "binary"): "cifar-10-batches-bin",
    ("cifar100", "python"): "cifar-100-python",
    ("cifar100", "binary"): "cifar-100-binary",
}
ARCHIVES = {
    ("cifar10", "python"): "cifar-10-python.tar.gz",
    ("cifar10", "binary"): "cifar-10-binary.tar.gz",
    ("cifar100", "python"): "cifar-100-python.tar.gz",
    ("cifar100", "binary"): "cifar-100-binary.tar.gz",
}
CIFAR10_NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()
FINE_NAMES = [f"fine_{i}" for i in range(100)]
COARSE_NAMES = [f"coarse_{i}" for i in range(20)]


class Python2Pickler:
    """Protocol 2 as Python 2's cPickle wrote it: byte strings, numpy.core names, every container put in the memo."""

    def __init__(self):
        self.puts = 0

    def dumps(self, value):
        return b"\x80\x02" + self._value(value) + b"."

    def _put(self):
        self.puts += 1
        return b"q" + bytes([self.puts]) if self.puts < 256 else b"r" + struct.pack("<I", self.puts)

    def _value(self, value):
        if isinstance(value, dict):
            items = [x for item in value.items() for x in item]
            return b"}" + self._put() + b"(" + b"".join([self._value(x) for x in items]) + b"u"
        if isinstance(value, list):
            return b"]" + self._put() + b"(" + b"".join([self._value(x) for x in value]) + b"e"
        if isinstance(value, bytes):
            header = b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))
            return header + value + self._put()
        if isinstance(value, np.ndarray):
            return self._array(value)
        if 0 <= value < 256:
            return b"K" + bytes([value])
        return b"M" + struct.pack("<H", value) if 0 <= value < 1 << 16 else b"J" + struct.pack("<i", value)

    def _array(self, array):
        put, code = self._put, {1: b"u1", 4: b"f4", 8: b"i8"}[array.itemsize]
        order = b"|" if array.itemsize == 1 else b"<"
        closing = {1: b"\x85", 2: b"\x86"}.get(array.ndim, b"t")
        return b"".join(
            [
                b"cnumpy.core.multiarray\n_reconstruct\n" + put() + b"cnumpy\nndarray\n" + put(),
                b"K\x00\x85" + put() + b"U\x01b" + put() + b"\x87" + put() + b"R" + put(),
                b"(K\x01" + b"(" * (closing == b"t"),
                b"".join([self._value(extent) for extent in array.shape]) + closing + put(),
                b"cnumpy\ndtype\n" + put() + b"U\x02" + code + put() + b"K\x00K\x01\x87" + put() + b"R" + put(),
                b"(K\x03U\x01" + order + put() + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00t" + put() + b"b",
                b"\x89" + self._value(array.tobytes()) + b"t" + put() + b"b",
            ]
        )


def python2_pickle(value):
    return Python2Pickler().dumps(value)


@dataclass
class Batch:
    """What one file holds: images uint8 (N, 3, 32, 32), labels as lists of int."""

    images: np.ndarray
    fine: list
    coarse: list


def tiny(dataset, seed=0):
    """{part: Batch} with the parts "1" to "5" (CIFAR-10) or "1" (CIFAR-100), and "test"; 2 to 4 images each."""
    generator = np.random.default_rng(seed)
    parts = ["1", "2", "3", "4", "5", "test"] if dataset == "cifar10" else ["1", "test"]
    batches = {}
    for part in parts:
        count = int(generator.integers(2, 5))
        images = generator.integers(0, 256, (count, 3, 32, 32), np.uint8)
        fine = generator.integers(0, 10 if dataset == "cifar10" else 100, count).tolist()
        batches[part] = Batch(images, fine, generator.integers(0, 20, count).tolist())
    return batches


def file_name(dataset, layout, part):
    if dataset == "cifar10":
        stem = "test_batch" if part == "test" else f"data_batch_{part}"
    else:
        stem = "test" if part == "test" else "train"
    return stem + ".bin" * (layout == "binary")


def official_files(dataset, layout, batches):
    """{file name: contents} of the layout's folder, the file that nothing reads included."""
    files = {"readme.html": b"<html>"}
    for part, batch in batches.items():
        write = _python_batch if layout == "python" else _binary_batch
        files[file_name(dataset, layout, part)] = write(dataset, part, batch)
    if layout == "binary" and dataset == "cifar10":
        files["batches.meta.txt"] = ("\n".join(CIFAR10_NAMES) + "\n\n").encode()
    elif layout == "binary":
        files["fine_label_names.txt"] = ("\n".join(FINE_NAMES) + "\n").encode()
        files["coarse_label_names.txt"] = ("\n".join(COARSE_NAMES) + "\n").encode()
    elif dataset == "cifar10":
        names = [name.encode() for name in CIFAR10_NAMES]
        content = {b"num_cases_per_batch": 10000, b"label_names": names, b"num_vis": 3072}
        files["batches.meta"] = python2_pickle(content)
    else:
        fine, coarse = [name.encode() for name in FINE_NAMES], [name.encode() for name in COARSE_NAMES]
        files["meta"] = python2_pickle({b"fine_label_names": fine, b"coarse_label_names": coarse})
    return files


def python_content(dataset, part, batch):
    """The dictionary of a python-layout file."""
    labels = (
        {b"labels": batch.fine}
        if dataset == "cifar10"
        else {b"fine_labels": batch.fine, b"coarse_labels": batch.coarse}
    )
    return {
        b"batch_label": f"batch {part}".encode(),
        **labels,
        b"data": batch.images.reshape(-1, 3072),
        b"filenames": [f"{part}_{i}.png".encode() for i in range(len(batch.images))],
    }


def _python_batch(dataset, part, batch):
    return python2_pickle(python_content(dataset, part, batch))


def _binary_batch(dataset, part, batch):
    labels = [batch.fine] if dataset == "cifar10" else [batch.coarse, batch.fine]
    return b"".join(bytes(item[:-1]) + item[-1].tobytes() for item in zip(*labels, batch.images, strict=True))


def write_folder(root, dataset, layout, files):
    """Write the extracted layout below `root`; return its folder."""
    folder = root / FOLDERS[dataset, layout]
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(root, dataset, layout, files):
    """Write the archive into `root`; return its path."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / ARCHIVES[dataset, layout]
    path.write_bytes(gzip.compress(tar_bytes(FOLDERS[dataset, layout], files), 1))
    return path


def tar_bytes(folder, files, extra=()):
    """A tar with the folder and its files; then the (TarInfo, contents) of `extra`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        directory = tarfile.TarInfo(folder)
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member, content in extra:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def expected(dataset, batches, labels):
    """[(images, labels)] of the training and the test set."""
    return [
        (
            np.concatenate([batches[part].images for part in parts]),
            np.concatenate([getattr(batches[part], labels) for part in parts]),
        )
        for parts in ([part for part in batches if part != "test"], ["test"])
    ]


def python_file(change):
    """A change of the decoded dictionary of a python-layout file."""

    def damage(dataset, part, batch):
        content = python_content(dataset, part, batch)
        change(content)
        return python2_pickle(content)

    return damage


def set_key(key, make):
    return python_file(lambda content: content.update({key: make(content[key])}))


# what -> (writer of the file, words of the error)
PYTHON_DAMAGE = {
    "no data": (python_file(lambda content: content.pop(b"data")), '"data" must be a uint8 array.*found NoneType'),
    "no labels": (python_file(lambda content: content.pop(b"labels")), '"labels" must be a list'),
    "data is a list": (set_key(b"data", lambda data: [1, 2]), "found list"),
    "narrow rows": (set_key(b"data", lambda data: data[:, :3071]), r"\(N, 3072\), found shape \(\d, 3071\)"),
    "images not flat": (set_key(b"data", lambda data: data.reshape(-1, 3, 1024)), r"found shape \(\d, 3, 1024\)"),
    "one flat array": (set_key(b"data", np.ravel), r"found shape \(\d+,\)"),
    "floats": (set_key(b"data", lambda data: data.astype(np.float32)), "dtype b'f4'.*only uint8"),
    "integers": (set_key(b"data", lambda data: data.astype(np.int64)), "dtype b'i8'.*only uint8"),
    "label above": (set_key(b"labels", lambda labels: [*labels[1:], 10]), "label 10 is outside 0 to 9"),
    "label below": (set_key(b"labels", lambda labels: [-1, *labels[1:]]), "label -1 is outside 0 to 9"),
    "label far above": (set_key(b"labels", lambda labels: [70000, *labels[1:]]), "list of small integers"),
    "label a string": (set_key(b"labels", lambda labels: [b"cat", *labels[1:]]), "list of small integers"),
    "labels a string": (set_key(b"labels", lambda labels: b"\x01\x02"), "must be a list"),
    "label missing": (set_key(b"labels", lambda labels: labels[1:]), r"\d images, but \d labels"),
    "image missing": (set_key(b"data", lambda data: data[1:]), r"\d images, but \d labels"),
    "no images": (python_file(lambda content: content.update({b"data": np.zeros((0, 3072), np.uint8), b"labels": []})),
                  "no images"),
    "no dictionary": (lambda *batch: python2_pickle([1, 2]), "expected a pickled dictionary, found list"),
    "hostile": (lambda *batch: b"\x80\x02cos\nsystem\nU\x04true\x85R.", "forbidden global os.system"),
    "empty file": (lambda *batch: b"", "truncated"),
    "web page": (lambda *batch: b"<html>", "forbidden pickle opcode"),
}  # fmt: skip
# (data set, layout, file, contents, words of the error)
NAMES_DAMAGE = [
    ("cifar10", "python", "batches.meta", python2_pickle({b"num_vis": 3072}), '"label_names" must be a list'),
    ("cifar10", "python", "batches.meta", python2_pickle({b"label_names": [b"cat"] * 9}), "expected 10 .* found 9"),
    ("cifar10", "python", "batches.meta", python2_pickle({b"label_names": list(range(10))}), "list of strings"),
    ("cifar10", "binary", "batches.meta.txt", b"cat\ndog\n", "expected 10 class names, found 2"),
    ("cifar100", "python", "meta", python2_pickle({b"fine_label_names": [b"x"]}), "expected 100 .* found 1"),
    ("cifar100", "binary", "fine_label_names.txt", b"", "expected 100 class names, found 0"),
]
# (data set, file, change of its contents, words of the error)
BINARY_DAMAGE = [
    ("cifar10", "test_batch.bin", lambda data: data[:-1], "not a whole number of 3073-byte records"),
    ("cifar10", "data_batch_5.bin", lambda data: data[:3000], "3000 bytes are not a whole number"),
    ("cifar10", "data_batch_5.bin", lambda data: b"", "no images"),
    ("cifar10", "data_batch_5.bin", lambda data: b"\x0a" + data[1:], "label 10 is outside 0 to 9"),
    ("cifar100", "train.bin", lambda data: data + b"\x00", "not a whole number of 3074-byte records"),
    ("cifar100", "test.bin", lambda data: data[:1] + b"\x64" + data[2:], "label 100 is outside 0 to 99"),
]
