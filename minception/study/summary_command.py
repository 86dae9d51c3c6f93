"""`minception summary`: a table of a network's modules and what they cost, and a picture of its graph."""

import argparse
import inspect
import json
import re

from minception import checkpoint, models
from minception.train.config import ConfigError, option
from minception.train.errors import RunError

from .picture import picture_of
from .summary import summary_of
from .trace import evaluation_calls, trace

CONSTRUCTOR_OPTIONS = ("num_classes", "in_channels", "stem", "width", "aux_logits")


def add_arguments(parser):
    """Add the options to an `argparse.ArgumentParser`."""
    parser.description = (
        "Show the modules of a network: output shape, parameters, multiply-accumulates (MACs), what each keeps in "
        "memory for the backward pass of training, and the receptive field of its output. The network is run on blank "
        "images, once in training mode and once in evaluation."
    )
    parser.add_argument("model", metavar="MODEL", help=" | ".join(models.names()))
    parser.add_argument("--input-size", metavar="N|HxW", help="height and width of the images (default: the network's)")
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
    parser.add_argument(
        "--batch-size", type=int, default=1, metavar="N", help="images that the memory is for (default %(default)s)"
    )
    parser.add_argument(
        "--depth",
        type=int,
        metavar="D",
        help="how many levels of modules to take apart (default: until Inception modules and the like are whole)",
    )
    parser.add_argument("--svg", metavar="FILE", help="draw the graph, which flows downward, into this file")
    parser.add_argument("--json", metavar="FILE", help="write the table into this file")


def run(arguments):
    """Run the command; return its exit status. Raises ConfigError or RunError, whose messages are for the user."""
    _check(arguments)
    entry = models.entry(arguments.model)
    options = {name: value for name in CONSTRUCTOR_OPTIONS if (value := getattr(arguments, name)) is not None}
    model = _build(entry, options)
    input_size = _input_size(arguments, entry)
    in_channels = options.get("in_channels", entry.in_channels)
    try:
        recorded = trace(model, input_size, in_channels)
        evaluated = evaluation_calls(model, input_size, in_channels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RunError(" ".join(str(error).split())) from error
    except MemoryError:
        raise RunError(f"not enough memory for images of {input_size[0]}x{input_size[1]} pixels") from None
    summary = summary_of(model, recorded, evaluated, arguments.batch_size, arguments.depth)
    size = " x ".join(map(str, (in_channels, *input_size)))
    print(f"{entry.name} ({entry.paper}), images of {size}\n\n{summary}")
    if arguments.svg is not None:
        _write(arguments.svg, picture_of(model, recorded, entry.name), "Picture")
    if arguments.json is not None:
        content = {"name": entry.name, "options": options, **summary.to_dict()}
        _write(arguments.json, json.dumps(content, indent=2) + "\n", "Table")
    return 0


def _check(arguments):
    if arguments.model not in models.names():
        raise ConfigError(f"unknown model {arguments.model}; choose one of {', '.join(models.names())}")
    for name in ("num_classes", "in_channels", "batch_size", "depth"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"{option(name)} must be at least 1, got {value}")


def _build(entry, options):
    accepted = inspect.signature(entry.constructor).parameters
    for name in options:
        if name not in accepted:
            raise ConfigError(f"{option(name)}: {entry.name} does not have it")
    try:
        return models.create(entry.name, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error


def _input_size(arguments, entry):
    """(height, width): as typed, or what the network with this stem is for."""
    if arguments.input_size is None:
        small = arguments.stem is not None and arguments.stem == entry.small_images.get("stem")
        return (32, 32) if small else (entry.input_size, entry.input_size)
    match = re.fullmatch(r"0*([1-9]\d*)(?:x0*([1-9]\d*))?", arguments.input_size)
    if match is None:
        raise ConfigError(f"--input-size must be N or HxW, both at least 1, got {arguments.input_size}")
    height, width = match.groups()
    return int(height), int(width or height)


def _write(path, content, what):
    try:
        checkpoint.write_atomically(path, content)
    except (OSError, ValueError) as error:  # ValueError for what is no name of a file at all
        raise RunError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    print(f"{what} in {path}")
