"""What classes are called."""

import pytest

from minception.predict import class_names_for, imagenet_class_names, read_class_names
from minception.train.errors import RunError

# Classes of ImageNet that everybody knows by number.
KNOWN = {
    0: "tench",
    1: "goldfish",
    207: "golden retriever",
    281: "tabby",
    285: "Egyptian cat",
    340: "zebra",
    386: "African elephant",
    404: "airliner",
    779: "school bus",
    817: "sports car",
    954: "banana",
    963: "pizza",
    999: "toilet tissue",
}


def test_imagenet():
    names = imagenet_class_names()
    assert len(set(names)) == 1000 and all(name == name.strip() and name.isprintable() for name in names)
    assert {index: names[index] for index in KNOWN} == KNOWN
    assert (names[134], names[517]) == ("crane bird", "crane")


def test_of_other_numbers():
    assert class_names_for(1000) == imagenet_class_names()
    for count in (10, 100, 999, 1001):
        assert class_names_for(count) == tuple(f"class {k}" for k in range(count))


def test_files(tmp_path):
    path = tmp_path / "names.txt"
    for text in ("cat\nhot dog\n", "cat\r\n hot dog", "\ufeffcat\nhot dog\n\n \n"):
        path.write_text(text, encoding="utf-8", newline="")
        assert read_class_names(path) == ("cat", "hot dog")
    path.write_text("Katze\nKöter\n", encoding="utf-8")
    assert read_class_names(str(path)) == ("Katze", "Köter")


def test_wrong_files(tmp_path):
    path = tmp_path / "names.txt"
    for content, message in (
        (b"cat\n\ndog\n", "names.txt: line 2 is empty; it must have the name of a class"),
        (b"", "names.txt: line 1 is empty"),
        (b"K\xf6ter\n", "names.txt: not a text file in UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(RunError, match=message):
            read_class_names(path)
    with pytest.raises(RunError, match=r"absent\.txt: cannot be read: No such file"):
        read_class_names(tmp_path / "absent.txt")
    with pytest.raises(RunError, match="cannot be read: Is a directory"):
        read_class_names(tmp_path)
