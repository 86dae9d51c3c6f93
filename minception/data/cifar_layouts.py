"""The file names, keys and record formats of the official CIFAR layouts (https://www.cs.toronto.edu/~kriz/cifar.html)."""

from dataclasses import dataclass

CHANNELS, SIZE = 3, 32
PIXELS = CHANNELS * SIZE * SIZE
TEST_IMAGES = 10_000  # in each data set


@dataclass(frozen=True)
class Layout:
    """One official form of one data set: the folder, the archive, and the files in the folder."""

    folder: str
    archive: str
    train_files: tuple[str, ...]
    test_file: str
    names_files: dict  # label kind -> file that holds its class names
    names_keys: dict  # label kind -> key in the python layout's file, None in the binary layout
    label_keys: dict  # label kind -> key of the labels (python layout) or their byte in the record (binary layout)
    label_bytes: int  # bytes before the pixels of a record (binary layout)
    images_per_file: int  # the official number in a training file
    num_classes: dict  # label kind -> number of classes

    @property
    def is_python(self):
        return self.names_keys is not None

    @property
    def files(self):
        return {*self.train_files, self.test_file, *self.names_files.values()}


CIFAR10_PYTHON = Layout(
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    train_files=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test_file="test_batch",
    names_files={"fine": "batches.meta"},
    names_keys={"fine": "label_names"},
    label_keys={"fine": "labels"},
    label_bytes=0,
    images_per_file=10_000,
    num_classes={"fine": 10},
)
CIFAR10_BINARY = Layout(
    folder="cifar-10-batches-bin",
    archive="cifar-10-binary.tar.gz",
    train_files=tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    test_file="test_batch.bin",
    names_files={"fine": "batches.meta.txt"},
    names_keys=None,
    label_keys={"fine": 0},
    label_bytes=1,
    images_per_file=10_000,
    num_classes={"fine": 10},
)
CIFAR100_PYTHON = Layout(
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    train_files=("train",),
    test_file="test",
    names_files={"fine": "meta", "coarse": "meta"},
    names_keys={"fine": "fine_label_names", "coarse": "coarse_label_names"},
    label_keys={"fine": "fine_labels", "coarse": "coarse_labels"},
    label_bytes=0,
    images_per_file=50_000,
    num_classes={"fine": 100, "coarse": 20},
)
CIFAR100_BINARY = Layout(
    folder="cifar-100-binary",
    archive="cifar-100-binary.tar.gz",
    train_files=("train.bin",),
    test_file="test.bin",
    names_files={"fine": "fine_label_names.txt", "coarse": "coarse_label_names.txt"},
    names_keys=None,
    label_keys={"fine": 1, "coarse": 0},
    label_bytes=2,
    images_per_file=50_000,
    num_classes={"fine": 100, "coarse": 20},
)
LAYOUTS = {"cifar10": (CIFAR10_PYTHON, CIFAR10_BINARY), "cifar100": (CIFAR100_PYTHON, CIFAR100_BINARY)}
