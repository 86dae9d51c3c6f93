"""`minception profile`: where the time of a training step goes, as a table and as a roofline plot."""

import json
from pathlib import Path

import minception as mc
from minception import models
from minception.memory import keep_freed_memory
from minception.train.config import ConfigError
from minception.train.device import DEVICE_HELP, find_device
from minception.train.errors import RunError

from .model_options import (
    add_model_arguments,
    build,
    check_counts,
    check_known,
    constructor_options,
    image_size,
    write,
)
from .profile_plot import FORMATS, roofline
from .profile_steps import profile
from .profile_table import as_text

SIZE = "--image-size"


def add_arguments(parser):
    """Add the options to an `argparse.ArgumentParser`."""
    parser.description = (
        "Time every kernel of training steps on random images, by the module that it runs for: forward, backward and "
        "the optimizer's update. Beside the time stand floating-point operations (FLOP), the bytes that have to be "
        "moved at least (every input read once, every output written once), how near that comes to the floor of this "
        "machine, whose peak and memory bandwidth are measured, and the memory kept for the backward pass."
    )
    add_model_arguments(parser, SIZE)
    parser.add_argument(
        "--batch-size", type=int, default=16, metavar="N", help="images of a step (default %(default)s)"
    )
    parser.add_argument("--eval", action="store_true", help="forward passes in evaluation instead of training steps")
    parser.add_argument("--device", default="cpu", help=DEVICE_HELP.replace("default auto", "default %(default)s"))
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the kernels (default: all)")
    parser.add_argument(
        "--repeat", type=int, default=10, metavar="N", help="steps that the medians are of (default %(default)s)"
    )
    parser.add_argument(
        "--by", default="kind", help="kind | layer | kernel: what the rows are added up by (default %(default)s)"
    )
    parser.add_argument(
        "--top", type=int, default=15, metavar="N", help="also list the N slowest one by one (default %(default)s)"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw a roofline plot into this file, .svg or .png")
    parser.add_argument("--json", metavar="FILE", help="write all rows into this file")


def run(arguments):
    """Run the command; return its exit status. Raises ConfigError or RunError, whose messages are for the user."""
    _check(arguments)
    entry = models.entry(arguments.model)
    options = constructor_options(arguments)
    model = build(entry, options)
    height, width = image_size(arguments, entry, SIZE)
    in_channels = options.get("in_channels", entry.in_channels)
    device = find_device(arguments.device)
    keep_freed_memory()
    threads = mc.get_num_threads()
    if arguments.threads is not None:
        mc.set_num_threads(arguments.threads)
    try:
        model = model.to(device)
        found = profile(model, (height, width), in_channels, arguments.batch_size, not arguments.eval, arguments.repeat)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RunError(" ".join(str(error).split())) from error
    except MemoryError as error:
        reason = f" on {device}: {error}" if device != "cpu" else ""  # CuPy's names the allocation
        images = f"{arguments.batch_size} images of {height}x{width} pixels"
        raise RunError(f"not enough memory for {images}{reason}") from None
    finally:
        mc.set_num_threads(threads)
    print(f"{entry.name}, {arguments.batch_size} images of {in_channels} x {height} x {width}\n")
    print(as_text(found, arguments.by, arguments.top))
    if arguments.plot is not None:
        write(arguments.plot, roofline(found, Path(arguments.plot).suffix[1:], entry.name), "Plot")
    if arguments.json is not None:
        content = {"name": entry.name, "options": options, **found.to_dict()}
        write(arguments.json, json.dumps(content, indent=1) + "\n", "Table")
    return 0


def _check(arguments):
    check_known(arguments)
    check_counts(arguments, "num_classes", "in_channels", "batch_size", "threads", "repeat")
    if arguments.top < 0:
        raise ConfigError(f"--top must be at least 0, got {arguments.top}")
    if arguments.by not in ("kind", "layer", "kernel"):
        raise ConfigError(f"--by must be kind, layer or kernel, got {arguments.by}")
    if arguments.plot is not None and Path(arguments.plot).suffix[1:] not in FORMATS:
        raise ConfigError(f"--plot must be a file that ends in .svg or .png, got {arguments.plot}")
