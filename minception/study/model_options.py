"""What commands that look into a network have in common: which network, its options, the size of the images."""

import argparse
import inspect
import re

from minception import checkpoint, models
from minception.train.config import ConfigError, option
from minception.train.errors import RunError

CONSTRUCTOR_OPTIONS = ("num_classes", "in_channels", "stem", "width", "aux_logits")


def add_model_arguments(parser, size_option):
    """Add the network and its options to an `argparse.ArgumentParser`; the size of the images is `size_option`."""
    parser.add_argument("model", metavar="MODEL", help=" | ".join(models.names()))
    parser.add_argument(
        size_option, dest="size", metavar="N|HxW", help="height and width of the images (default: the network's)"
    )
    parser.add_argument("--num-classes", type=int, metavar="N", help="classes (default: the network's)")
    parser.add_argument("--in-channels", type=int, metavar="N", help="channels of the images (default: the network's)")
    parser.add_argument(
        "--stem", help="imagenet, or cifar for images of 32x32 pixels, in networks that have both (default: imagenet)"
    )
    parser.add_argument(
        "--width", type=float, metavar="FACTOR", help="multiply the channels of all layers (default: 1)"
    )
    parser.add_argument(
        "--aux-logits",
        action=argparse.BooleanOptionalAction,
        help="with the auxiliary heads of training, in networks that have some (default: the network's)",
    )


def check_known(arguments):
    """Raise ConfigError unless the network is known."""
    if arguments.model not in models.names():
        raise ConfigError(f"unknown model {arguments.model}; choose one of {', '.join(models.names())}")


def check_counts(arguments, *names):
    """Raise ConfigError for one of the arguments `names` that is given and below 1."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"{option(name)} must be at least 1, got {value}")


def constructor_options(arguments):
    """The options of the network that were typed."""
    return {name: value for name in CONSTRUCTOR_OPTIONS if (value := getattr(arguments, name)) is not None}


def build(entry, options):
    """The network of a registry entry. Raises ConfigError for options that it does not have or refuses."""
    accepted = inspect.signature(entry.constructor).parameters
    for name in options:
        if name not in accepted:
            raise ConfigError(f"{option(name)}: {entry.name} does not have it")
    try:
        return models.create(entry.name, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error


def image_size(arguments, entry, size_option):
    """(height, width): as typed, or what the network with this stem is for."""
    if arguments.size is None:
        small = arguments.stem is not None and arguments.stem == entry.small_images.get("stem")
        return (32, 32) if small else (entry.input_size, entry.input_size)
    match = re.fullmatch(r"0*([1-9]\d*)(?:x0*([1-9]\d*))?", arguments.size)
    if match is None:
        raise ConfigError(f"{size_option} must be N or HxW, both at least 1, got {arguments.size}")
    height, width = match.groups()
    return int(height), int(width or height)


def write(path, content, what):
    """Write a file at once and say so. Raises RunError where that cannot be done."""
    try:
        checkpoint.write_atomically(path, content)
    except (OSError, ValueError) as error:  # ValueError for what is no name of a file at all
        raise RunError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    print(f"{what} in {path}")
