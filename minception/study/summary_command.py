"""`minception summary`: a table of a network's modules and what they cost, and a picture of its graph."""

import json

from minception import models
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
from .picture import picture_of
from .summary import summary_of
from .trace import evaluation_calls, trace

SIZE = "--input-size"


def add_arguments(parser):
    """Add the options to an `argparse.ArgumentParser`."""
    parser.description = (
        "Show the modules of a network: output shape, parameters, multiply-accumulates (MACs), what each keeps in "
        "memory for the backward pass of training, and the receptive field of its output. The network is run on blank "
        "images, once in training mode and once in evaluation."
    )
    add_model_arguments(parser, SIZE)
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
    check_known(arguments)
    check_counts(arguments, "num_classes", "in_channels", "batch_size", "depth")
    entry = models.entry(arguments.model)
    options = constructor_options(arguments)
    model = build(entry, options)
    input_size = image_size(arguments, entry, SIZE)
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
        write(arguments.svg, picture_of(model, recorded, entry.name), "Picture")
    if arguments.json is not None:
        content = {"name": entry.name, "options": options, **summary.to_dict()}
        write(arguments.json, json.dumps(content, indent=2) + "\n", "Table")
    return 0
