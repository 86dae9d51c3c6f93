"""What the classes of a network are called.

`imagenet_classes.txt` has the 1000 classes of ImageNet's challenge (Russakovsky et al. 2015), in the order of their
WordNet identifiers, which is that of all published weights, one in a line. Of each class's synonyms it has a first one
or a short one, made unique where two classes share it ("crane", "crane bird"): torchvision's list (BSD 3-clause
license), where it is `torchvision.models._meta._IMAGENET_CATEGORIES`.
"""

from functools import lru_cache
from importlib import resources
from pathlib import Path

from minception.train.errors import RunError

IMAGENET_FILE = "imagenet_classes.txt"


def class_names_for(count):
    """The names of `count` classes of which nothing else is known, a tuple: ImageNet's for 1000, else "class 0" ..."""
    return imagenet_class_names() if count == 1000 else tuple(f"class {index}" for index in range(count))


@lru_cache
def imagenet_class_names():
    """The names of ImageNet's 1000 classes, a tuple."""
    return tuple((resources.files(__package__) / IMAGENET_FILE).read_text(encoding="utf-8").splitlines())


def read_class_names(path):
    """Read a text file (UTF-8) with the name of one class in each line, in the order of the classes; return a tuple.

    Empty lines at the end are ignored. Raises RunError, which names the file, if it cannot be read or has an empty
    line before another.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RunError(f"{path}: not a text file in UTF-8") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    names = tuple(line.strip() for line in text.rstrip().split("\n"))
    if "" in names:
        raise RunError(f"{path}: line {names.index('') + 1} is empty; it must have the name of a class")
    return names
