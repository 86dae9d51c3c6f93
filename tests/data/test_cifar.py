"""CIFAR-10 and CIFAR-100 from every official form: the same images from each, and a clear error for a damaged one."""

import gzip
import io
import lzma
import pickle
import tarfile

import numpy as np
import pytest

from minception.data import (
    CorruptDataError,
    DataError,
    DatasetNotFoundError,
    ForbiddenPickleError,
    find_cifar,
    load_cifar10,
    load_cifar100,
)
from minception.data.cifar_layouts import LAYOUTS

from . import official
from .official import ARCHIVES, FOLDERS, Batch, file_name, official_files, tar_bytes, tiny

WRITERS = (official.write_folder, official.write_archive)
FORMS = [(layout, write) for layout in ("python", "binary") for write in WRITERS]


def load(dataset, root, labels="fine"):
    if dataset == "cifar10":
        return load_cifar10(root, official_size=False)
    return load_cifar100(root, labels=labels, official_size=False)


@pytest.mark.parametrize("layout, write", FORMS)
@pytest.mark.parametrize("dataset, labels", [("cifar10", "fine"), ("cifar100", "fine"), ("cifar100", "coarse")])
def test_the_same_data_from_every_form(dataset, labels, layout, write, tmp_path):
    batches = tiny(dataset)
    path = write(tmp_path, dataset, layout, official_files(dataset, layout, batches))
    names = {"cifar10": official.CIFAR10_NAMES}.get(dataset) or getattr(official, f"{labels.upper()}_NAMES")
    for root in (tmp_path, path, str(path)):
        loaded = load(dataset, root, labels)
        for got, (images, numbers) in zip(loaded, official.expected(dataset, batches, labels), strict=True):
            np.testing.assert_array_equal(got.images, images)
            np.testing.assert_array_equal(got.labels, numbers)
            assert (got.images.dtype, got.labels.dtype) == (np.uint8, np.int64)
            assert got.class_names == tuple(names) and got.num_classes == len(names)
            assert got.images.transpose(0, 2, 3, 1).flags.c_contiguous and not got.images.flags.writeable
            assert got.name.startswith(f"{dataset.replace('cifar', 'CIFAR-')} ({path}) ")
        assert find_cifar(root, dataset) == path


@pytest.mark.parametrize("layout", ["python", "binary"])
def test_pixels_are_red_green_blue_planes_row_by_row(layout, tmp_path):
    """Red grows to the right, green downwards, blue marks one corner: no other order of the bytes gives this."""
    red = [column for row in range(32) for column in range(32)]
    green = [100 + row for row in range(32) for column in range(32)]
    blue = [255 if (row, column) == (0, 31) else 0 for row in range(32) for column in range(32)]
    in_file = bytes(red + green + blue)
    batch = Batch(np.frombuffer(in_file, np.uint8).reshape(1, 3, 32, 32), [3], [1])
    batches = dict.fromkeys(tiny("cifar10"), batch)
    official.write_folder(tmp_path, "cifar10", layout, official_files("cifar10", layout, batches))
    image = load("cifar10", tmp_path).train.images[0]
    assert image[:, 0, 31].tolist() == [31, 100, 255]  # the upper right corner
    assert image[:, 31, 0].tolist() == [0, 131, 0]  # the lower left corner
    assert image[:, 5, 7].tolist() == [7, 105, 0]
    np.testing.assert_array_equal(image.reshape(3, -1), [red, green, blue])


def test_pickles_saved_again_by_python_3(tmp_path):
    """With str keys and numpy 2's arrays, as other tools write them."""
    batches = tiny("cifar10")
    files = official_files("cifar10", "python", batches)
    for name in files.keys() - {"readme.html"}:
        content = {key.decode(): value for key, value in pickle.loads(files[name], encoding="bytes").items()}
        files[name] = pickle.dumps(content, 4)
    official.write_folder(tmp_path, "cifar10", "python", files)
    np.testing.assert_array_equal(load("cifar10", tmp_path).test.images, batches["test"].images)


@pytest.mark.parametrize("write", WRITERS, ids=["folder", "archive"])
@pytest.mark.parametrize("what", official.PYTHON_DAMAGE)
def test_a_damaged_python_file_is_named(what, write, tmp_path):
    damage, words = official.PYTHON_DAMAGE[what]
    batches = tiny("cifar10")
    files = official_files("cifar10", "python", batches)
    path = write(tmp_path, "cifar10", "python", {**files, "data_batch_3": damage("cifar10", "3", batches["3"])})
    with pytest.raises(CorruptDataError, match=words) as caught:
        load("cifar10", tmp_path)
    assert str(caught.value).startswith(f"{path}/data_batch_3: ")
    assert isinstance(caught.value, ForbiddenPickleError) == (what in ("hostile", "floats", "integers", "web page"))


@pytest.mark.parametrize("dataset, layout, name, content, words", official.NAMES_DAMAGE)
def test_damaged_class_names_are_named(dataset, layout, name, content, words, tmp_path):
    files = official_files(dataset, layout, tiny(dataset))
    folder = official.write_folder(tmp_path, dataset, layout, {**files, name: content})
    with pytest.raises(CorruptDataError, match=words) as caught:
        load(dataset, tmp_path)
    assert str(caught.value).startswith(f"{folder}/{name}: ")


@pytest.mark.parametrize("dataset, name, damage, words", official.BINARY_DAMAGE)
def test_a_damaged_binary_file_is_named(dataset, name, damage, words, tmp_path):
    files = official_files(dataset, "binary", tiny(dataset))
    folder = official.write_folder(tmp_path, dataset, "binary", {**files, name: damage(files[name])})
    with pytest.raises(CorruptDataError, match=words) as caught:
        load(dataset, tmp_path)
    assert str(caught.value).startswith(f"{folder}/{name}: ")


def test_each_kind_of_label_is_checked_in_its_own_range(tmp_path):
    files = official_files("cifar100", "binary", tiny("cifar100"))
    official.write_folder(tmp_path, "cifar100", "binary", {**files, "train.bin": b"\x14" + files["train.bin"][1:]})
    assert load("cifar100", tmp_path, "fine").train.num_classes == 100
    with pytest.raises(CorruptDataError, match=r"train.bin: label 20 is outside 0 to 19"):
        load("cifar100", tmp_path, "coarse")


@pytest.mark.parametrize("dataset, layout", FOLDERS)
def test_a_missing_file_is_named(dataset, layout, tmp_path):
    files = official_files(dataset, layout, tiny(dataset))
    name = file_name(dataset, layout, "test")
    del files[name]
    folder = official.write_folder(tmp_path / "folder", dataset, layout, files)
    with pytest.raises(DatasetNotFoundError) as caught:
        load(dataset, tmp_path / "folder")
    assert f"{folder} lacks {name}" in str(caught.value)
    archive = official.write_archive(tmp_path / "archive", dataset, layout, files)
    with pytest.raises(DatasetNotFoundError) as caught:
        load(dataset, tmp_path / "archive")
    assert f"{archive} lacks {FOLDERS[dataset, layout]}/{name}" in str(caught.value)


@pytest.mark.parametrize("dataset, load_it", [("cifar10", load_cifar10), ("cifar100", load_cifar100)])
@pytest.mark.parametrize("layout", ["python", "binary"])
def test_official_sizes_are_demanded_by_default(dataset, load_it, layout, tmp_path):
    official.write_folder(tmp_path, dataset, layout, official_files(dataset, layout, tiny(dataset)))
    with pytest.raises(CorruptDataError, match=r": \d images, the official file has 10000 \(official_size=False"):
        load_it(tmp_path)
    assert [len(layout.train_files) * layout.images_per_file for layout in LAYOUTS[dataset]] == [50_000, 50_000]


def test_official_sizes_are_accepted(tmp_path):
    batch = Batch(np.zeros((10_000, 3, 32, 32), np.uint8), [7] * 10_000, [0])
    files = official_files("cifar10", "binary", {"1": batch})
    files |= {file_name("cifar10", "binary", part): files["data_batch_1.bin"] for part in "2 3 4 5 test".split()}
    official.write_folder(tmp_path, "cifar10", "binary", files)
    assert [len(part) for part in load_cifar10(tmp_path)] == [50_000, 10_000]


class TestArchives:
    @pytest.fixture
    def files(self):
        return official_files("cifar10", "binary", tiny("cifar10"))

    @pytest.fixture
    def write(self, tmp_path):
        path = tmp_path / "data" / ARCHIVES["cifar10", "binary"]
        path.parent.mkdir()

        def write(content):
            path.write_bytes(content)
            return path

        return write

    def refused(self, path, words, error=CorruptDataError):
        before = {entry: entry.stat().st_mtime_ns for entry in path.parent.parent.rglob("*")}
        with pytest.raises(error, match=words) as caught:
            load("cifar10", path.parent)
        assert str(path) in str(caught.value)
        assert {entry: entry.stat().st_mtime_ns for entry in path.parent.parent.rglob("*")} == before

    @pytest.mark.parametrize("name", ["../escaped", "/tmp/minception_escaped", "cifar-10-batches-bin/../../escaped"])
    def test_nothing_is_written_by_path_traversal(self, name, files, write, tmp_path):
        """A member that would land outside is never unpacked; the honest files beside it still load."""
        extra = [(tarfile.TarInfo(name), b"escaped")]
        write(gzip.compress(tar_bytes(FOLDERS["cifar10", "binary"], files, extra)))
        before = sorted(tmp_path.rglob("*"))
        load("cifar10", tmp_path / "data")
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_traversal_does_not_stand_in_for_a_file(self, files, write):
        member, content = tarfile.TarInfo("x/../cifar-10-batches-bin/test_batch.bin"), files.pop("test_batch.bin")
        path = write(gzip.compress(tar_bytes(FOLDERS["cifar10", "binary"], files, [(member, content)])))
        self.refused(path, "lacks cifar-10-batches-bin/test_batch.bin", DatasetNotFoundError)

    @pytest.mark.parametrize("kind", "SYMTYPE LNKTYPE DIRTYPE FIFOTYPE CHRTYPE".split())
    def test_members_that_are_no_files(self, kind, files, write, tmp_path):
        (tmp_path / "secret").write_bytes(files.pop("test_batch.bin"))
        member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        member.type, member.linkname = getattr(tarfile, kind), str(tmp_path / "secret")
        path = write(gzip.compress(tar_bytes(FOLDERS["cifar10", "binary"], files, [(member, b"")])))
        self.refused(path, "test_batch.bin is not a regular file")

    def test_a_sparse_member_of_a_terabyte(self, files, write):
        del files["test_batch.bin"]
        member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40)}
        path = write(gzip.compress(tar_bytes(FOLDERS["cifar10", "binary"], files, [(member, b"x")])))
        self.refused(path, "test_batch.bin is not a regular file")

    @pytest.mark.parametrize("what", "cut flipped checksum block empty notar uncompressed xz".split())
    def test_damaged(self, what, files, write):
        tar = tar_bytes(FOLDERS["cifar10", "binary"], files)
        good = gzip.compress(tar)
        middle = len(good) // 2
        content = {
            "cut": good[:middle],
            "flipped": good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :],
            "checksum": good[:-8] + bytes(4) + good[-4:],
            "block": good[:10] + b"\xff" + good[11:],  # a kind of block that does not exist
            "empty": b"",
            "notar": gzip.compress(b"hello" * 1000),
            "uncompressed": tar,
            "xz": gzip.compress(lzma.compress(tar)),
        }[what]
        self.refused(write(content), "damaged archive")

    def test_a_tar_cut_inside_its_compression(self, files, write):
        tar = tar_bytes(FOLDERS["cifar10", "binary"], files)
        for end in (600, 5000, 40_000):
            self.refused(write(gzip.compress(tar[:end])), "damaged archive|lacks", DataError)

    @pytest.mark.parametrize("headers", [{"GNU.sparse.map": "x"}, {"size": "-2048"}, {"size": "-1"}])
    def test_headers_that_make_no_sense(self, headers, files, write):
        member = tarfile.TarInfo("other")
        member.pax_headers = headers
        path = write(gzip.compress(tar_bytes(FOLDERS["cifar10", "binary"], files, [(member, b"x")])))
        self.refused(path, "damaged archive")

    def test_a_header_that_leads_back_to_itself(self, files, write):
        member = tarfile.TarInfo()
        member.type, member.size = tarfile.GNUTYPE_SPARSE, -512
        tar = tar_bytes(FOLDERS["cifar10", "binary"], files)
        self.refused(write(gzip.compress(tar[:512] + member.tobuf(tarfile.GNU_FORMAT) + tar[512:])), "damaged archive")

    def test_a_bomb(self, write, monkeypatch):
        monkeypatch.setattr("minception.data.files.MAXIMUM_ARCHIVE", 1 << 20)
        self.refused(write(gzip.compress(bytes(3 << 20))), "larger than any CIFAR archive")

    def test_random_damage_of_the_headers_never_escapes(self, files, write):
        tar, generator = tar_bytes(FOLDERS["cifar10", "binary"], files), np.random.default_rng(0)
        headers = [member.offset for member in tarfile.open(fileobj=io.BytesIO(tar))]
        for _ in range(150):
            damaged = bytearray(tar)
            for _ in range(3):
                damaged[generator.choice(headers) + generator.integers(512)] = generator.integers(256)
            path = write(gzip.compress(damaged, 0))
            try:
                load("cifar10", path)
            except DataError as error:
                assert str(path) in str(error)


class TestFinding:
    @pytest.fixture
    def everything(self, tmp_path):
        """Every form of both data sets in one folder."""
        for dataset, layout in FOLDERS:
            files = official_files(dataset, layout, tiny(dataset))
            official.write_folder(tmp_path, dataset, layout, files)
            official.write_archive(tmp_path, dataset, layout, files)
        return tmp_path

    @pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
    def test_order(self, dataset, everything):
        for name in [names[dataset, layout] for layout in ("python", "binary") for names in (FOLDERS, ARCHIVES)]:
            found = find_cifar(everything, dataset)
            assert found == everything / name
            load(dataset, everything)
            found.rename(everything / f"hidden {name}")
        assert find_cifar(everything, dataset) is None

    def test_nothing_found_says_what_was_looked_for(self, tmp_path):
        for dataset, loader in (("cifar10", load_cifar10), ("cifar100", load_cifar100)):
            for root in (tmp_path, tmp_path / "absent"):
                with pytest.raises(FileNotFoundError) as caught:
                    loader(root)
                assert type(caught.value) is DatasetNotFoundError
                forms = [names[dataset, layout] for names in (FOLDERS, ARCHIVES) for layout in ("python", "binary")]
                assert all(text in str(caught.value) for text in (dataset, str(root), *forms))

    def test_the_default_root_is_the_cache(self, everything, monkeypatch):
        monkeypatch.setenv("MINCEPTION_DATA", str(everything))
        assert str(everything) in load_cifar10(official_size=False).train.name

    def test_an_incomplete_folder_gives_way_to_a_complete_form(self, everything):
        (everything / "cifar-10-batches-py" / "data_batch_2").unlink()
        assert find_cifar(everything) == everything / "cifar-10-python.tar.gz"
        load("cifar10", everything)

    def test_bad_arguments(self, tmp_path):
        with pytest.raises(ValueError, match="dataset must be one of cifar10, cifar100, got 'mnist'"):
            find_cifar(tmp_path, "mnist")
        with pytest.raises(ValueError, match='labels must be "fine" or "coarse", got \'all\''):
            load_cifar100(tmp_path, labels="all")
