"""`minception predict`: what is in pictures, by one network or several."""

import argparse
import json
import sys
from dataclasses import replace

import numpy as np

import minception as mc
from minception import models
from minception.kernels.transfer import on_device
from minception.memory import keep_freed_memory
from minception.train.compilation_line import CompilationLine
from minception.train.config import ConfigError, option
from minception.train.device import DEVICE_HELP, KERNELS_HELP, explaining_memory, find_device, find_kernels
from minception.train.evaluation import fused

from .averaging import predict
from .class_names import read_class_names
from .classifier import load_classifier
from .crops import CROPS
from .images import shown

BAR = 30  # characters for a probability of 1
EPILOG = """\
Repeat --model NAME --weights FILE to average the probabilities of several networks. A picture that cannot be read is
reported, the others are classified, and the exit status is 1. What is transparent in a picture becomes white."""


class _InOrder(argparse.Action):
    """Keeps (option, value) of all options that share a `dest`, as typed."""

    def __call__(self, parser, namespace, values, option_string=None):
        typed = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*typed, (option_string, values)])


def add_arguments(parser):
    """Add the options to an `argparse.ArgumentParser`."""
    parser.description = "Classify pictures."
    parser.epilog = EPILOG
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a picture, such as a JPEG or PNG file")
    parser.add_argument("--model", metavar="NAME", dest="networks", action=_InOrder, help=" | ".join(models.names()))
    parser.add_argument(
        "--weights",
        metavar="FILE",
        dest="networks",
        action=_InOrder,
        help="its weights: safetensors, PyTorch's .pth, Keras's .h5 or .keras; or the folder of a training run, which "
        "needs no --model: its best weights are taken, and its data's classes (default: published weights, downloaded)",
    )
    parser.add_argument("--top", type=int, default=5, metavar="K", help="likeliest classes shown (default %(default)s)")
    parser.add_argument(
        "--crops",
        type=int,
        default=1,
        metavar="|".join(map(str, CROPS)),
        help="views of each picture, whose probabilities are averaged. 1: the centre; 10: corners and centre, and "
        "mirrored (Krizhevsky et al. 2012); 144: also in 4 sizes (Szegedy et al. 2015) (default %(default)s)",
    )
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="text file with a name for each class, one a line (default: those of a run's data; ImageNet's for 1000)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list, of one object for each picture")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="views at a time (default %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: all)")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--kernels", help=KERNELS_HELP)


def run(arguments):
    """Run the command; return its exit status: 1 if a picture could not be used.

    Raises ConfigError, CheckpointError or RunError, whose messages are for the user.
    """
    _check(arguments)
    device = find_device(arguments.device)
    kernels = find_kernels(arguments.kernels, device)
    networks = pairs(arguments.networks or [])
    class_names = None if arguments.classes is None else read_class_names(arguments.classes)
    keep_freed_memory()
    mc.set_num_threads(arguments.threads or mc.get_num_threads())
    memory = explaining_memory(device, arguments.batch_size, "fewer networks at once")
    with mc.use_kernels(kernels), np.errstate(all="ignore"), on_device(device), memory:
        loaded = [load_classifier(weights, model, class_names=class_names) for model, weights in networks]
        classifiers = [replace(classifier, model=fused(classifier.model.to(device))) for classifier in loaded]
        predictions = predict(
            classifiers, arguments.images, top=arguments.top, crops=arguments.crops, batch_size=arguments.batch_size
        )
        show = _show_json if arguments.json else _show
        # For people only, since programs read what predict writes; and not live, since lines are written meanwhile.
        with CompilationLine(show=sys.stderr.isatty(), live=False).watching(kernels):
            return 1 if show(predictions, arguments.command) else 0


def pairs(typed):
    """The networks meant by the options ("--model", name) and ("--weights", path), in order: list of (name, path).

    Each --weights belongs to the --model right before it, or to none (None), and a --model may have none; if there is
    one of each, order is free.
    """
    if sorted(flag for flag, _ in typed) == ["--model", "--weights"]:
        values = dict(typed)
        return [(values["--model"], values["--weights"])]
    result, model = [], None
    for flag, value in [*typed, ("--model", None)]:
        if flag == "--weights":
            result.append((model, value))
            model = None
        else:
            if model is not None:
                result.append((model, None))
            model = value
    return result or [(None, None)]


def _check(arguments):
    if arguments.crops not in CROPS:
        raise ConfigError(f"--crops {arguments.crops}: unknown; choose one of {', '.join(map(str, CROPS))}")
    for name in ("top", "batch_size", "threads"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"{option(name)} must be at least 1, got {value}")


def _show(predictions, program):
    """Print a block for each picture, and its error to stderr; return how many could not be used."""
    failed = shown_before = 0
    for prediction in predictions:
        if prediction.error is not None:
            failed += 1
            _complain(program, prediction.error)
            continue
        print(("\n" if shown_before else "") + block(prediction), flush=True)
        shown_before += 1
    return failed


def block(prediction):
    """The text of one picture: its name, then a line for each class, in columns."""
    names = [_shortened(shown(ranked.name)) for ranked in prediction.classes]
    width = max(map(len, names))
    lines = [shown(prediction.image)]
    for name, ranked in zip(names, prediction.classes, strict=True):
        bar = "#" * round(BAR * ranked.probability)
        lines.append(f"  {name:<{width}}  {ranked.probability:>7.2%}  {bar}".rstrip())
    return "\n".join(lines)


def _show_json(predictions, program):
    """Print a list of objects as they are known; return how many pictures could not be used."""
    failed = 0
    print("[", end="")
    for index, prediction in enumerate(predictions):
        content = {"image": prediction.image}
        if prediction.error is None:
            content["classes"] = [ranked._asdict() for ranked in prediction.classes]
        else:
            failed += 1
            content["error"] = str(prediction.error)
            _complain(program, prediction.error)
        print(f"{',' if index else ''}\n  {json.dumps(content)}", end="", flush=True)
    print("\n]")
    return failed


def _complain(program, error):
    print(f"{program}: error: {error}", file=sys.stderr, flush=True)


def _shortened(name, length=50):
    return name if len(name) <= length else f"{name[: length - 3]}..."
