"""The options of `minception train`: one for each setting, plus where the run is kept.

Options that are not typed leave no trace in the parsed namespace (`argparse.SUPPRESS`), so that resuming can tell
what was asked for from what is merely a default. Ranges are checked by `TrainConfig.validate`.
"""

import argparse
from dataclasses import fields

from minception import models
from minception.kernels.settings import PRECISIONS

from .config import (
    CROP,
    CROP_SHARE,
    CUTOUT,
    GAMMA,
    LR,
    MOMENTUM,
    ONECYCLE_WARMUP,
    STEP_EPOCHS,
    WEIGHT_DECAY,
    WHITEN,
    WINOGRAD,
    TrainConfig,
)
from .device import DEVICE_HELP, KERNELS_HELP

LATEST = object()  # the value of --resume without a path
DEFAULT = TrainConfig()
EPILOG = """\
Without options this trains a small Inception network on CIFAR-10, or, where CIFAR-10 is neither on disk nor to be
downloaded, on generated pictures of ten shapes. Ctrl-C stops after the current step and saves everything needed
to go on; a run resumed with --resume ends with bitwise the weights of an uninterrupted one, given the same
machine, --device, --threads and --kernels. The same --seed means the same initial weights and images on every device,
and the same dropout on every GPU. The training loss includes label smoothing, the test loss does not."""


def add_arguments(parser):
    """Add the options to an `argparse.ArgumentParser`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Train a network to classify 32x32 images."
    parser.epilog = EPILOG
    _add_data(parser.add_argument_group("data"))
    _add_optimization(parser.add_argument_group("model and optimization"))
    _add_run(parser.add_argument_group("run"))


def given_settings(arguments):
    """Return the settings that were typed on the command line, as a dictionary of TrainConfig fields."""
    return {field.name: getattr(arguments, field.name) for field in fields(TrainConfig) if field.name in arguments}


def _add_data(group):
    _option(
        group,
        "--data",
        help="auto | cifar10 | cifar100 | synthetic; auto is cifar10 where it can be had, else synthetic "
        f"(default {DEFAULT.data})",
    )
    _option(
        group,
        "--data-dir",
        metavar="DIR",
        help="folder with the CIFAR archive or its extracted files; downloaded into it when absent "
        "(default: the user's cache folder, or $MINCEPTION_DATA)",
    )
    _option(group, "--limit-train", type=int, metavar="N", help="use only the first N training images")
    _option(group, "--limit-test", type=int, metavar="N", help="use only the first N test images")
    _option(
        group,
        "--augment",
        help="standard: random 4-pixel shifts and horizontal flips; reflect: the same, with mirrored pixels instead of "
        "black ones outside the image; none: images as they are "
        f"(default {DEFAULT.augment})",
    )
    _option(
        group,
        "--cutout",
        type=int,
        metavar="SIZE",
        help="also blank a random square of SIZE pixels a side, in whole images; 0: none "
        f"(default: {_each(CUTOUT)}, others and --augment none: 0)",
    )
    _option(
        group,
        "--crop",
        type=int,
        metavar="SIZE",
        help="train on random windows of SIZE x SIZE pixels in the first epochs, which takes less time; 0: never "
        f"(default: {_each(CROP)}, others 0)",
    )
    _option(
        group,
        "--crop-epochs",
        type=int,
        metavar="N",
        help=f"how many epochs these are (default: {CROP_SHARE:.0%} of --epochs)".replace("%", "%%"),
    )


def _add_optimization(group):
    _option(group, "--model", help=f"{' | '.join(models.names())} (default {DEFAULT.model})")
    _option(
        group,
        "--width",
        type=float,
        metavar="FACTOR",
        help="multiply the channels of all layers, for networks that have this option (default: 1)",
    )
    _option(
        group,
        "--aux-logits",
        action=argparse.BooleanOptionalAction,
        help="train the auxiliary heads too, in networks that have some (default: without)",
    )
    _option(
        group,
        "--whiten",
        action=argparse.BooleanOptionalAction,
        help="the first convolution removes the correlations between neighbouring pixels of the training images, and "
        f"is not trained (default: with it for {', '.join(WHITEN)}, others without)",
    )
    _option(group, "--epochs", type=int, metavar="N", help=f"passes over the data (default {DEFAULT.epochs})")
    _option(group, "--batch-size", type=int, metavar="N", help=f"images per step (default {DEFAULT.batch_size})")
    _option(group, "--optimizer", help=f"sgd | rmsprop | adam | adamw (default {DEFAULT.optimizer})")
    _option(
        group,
        "--lr",
        type=float,
        metavar="RATE",
        help=f"peak learning rate, for batches of --batch-size (default: {_each(LR)})",
    )
    _option(
        group,
        "--momentum",
        type=float,
        metavar="M",
        help=f"share of the previous update kept, in [0, 1) (default: {_each(MOMENTUM)})",
    )
    _option(
        group,
        "--nesterov",
        action=argparse.BooleanOptionalAction,
        help="Nesterov's momentum, with sgd (default: on unless the momentum is 0)",
    )
    _option(
        group,
        "--weight-decay",
        type=float,
        metavar="W",
        help=f"decay of weights, not of biases and batch-norm parameters (default: {_each(WEIGHT_DECAY)})",
    )
    _option(
        group,
        "--label-smoothing",
        type=float,
        metavar="E",
        help="probability spread evenly over all classes in the training target, in [0, 1) "
        f"(default {DEFAULT.label_smoothing})",
    )
    _option(
        group,
        "--clip-grad-norm",
        type=float,
        metavar="NORM",
        help="scale gradients down to this Euclidean norm over all parameters (default: no clipping)",
    )
    _option(
        group,
        "--schedule",
        help="learning rate over the steps: onecycle (up, then down to almost 0) | cosine (down to 0) | "
        "step (times --gamma every --step-epochs) | exponential (times --gamma per epoch, smoothly) | constant "
        f"(default {DEFAULT.schedule})",
    )
    _option(
        group,
        "--warmup-epochs",
        type=float,
        metavar="N",
        help="epochs, or a fraction of one, in which the learning rate rises to --lr "
        f"(default: onecycle {ONECYCLE_WARMUP:.0%} of --epochs, others 0)".replace("%", "%%"),
    )
    _option(
        group,
        "--step-epochs",
        type=int,
        metavar="N",
        help=f"epochs between drops of --schedule step (default {STEP_EPOCHS})",
    )
    _option(
        group,
        "--gamma",
        type=float,
        metavar="FACTOR",
        help=f"factor of --schedule step or exponential, in (0, 1] (default: {_each(GAMMA)})",
    )


def _add_run(group):
    _option(
        group,
        "--seed",
        type=int,
        metavar="N",
        help=f"decides initial weights, order of images, augmentation and dropout (default {DEFAULT.seed})",
    )
    _option(
        group,
        "--threads",
        type=int,
        metavar="N",
        help="threads to compute with (default: all processors available to the process)",
    )
    _option(group, "--device", help=DEVICE_HELP)
    _option(group, "--kernels", help=KERNELS_HELP)
    _option(
        group,
        "--winograd",
        type=int,
        metavar="SQUARES",
        help="0, 2 or 4: 3x3 convolutions of --kernels cpu make squares of so many outputs a side with fewer "
        f"multiplications; 4 is the fastest and rounds the most (default {WINOGRAD})",
    )
    _option(
        group,
        "--precision",
        help=f"{' | '.join(PRECISIONS)}: what convolutions on a GPU round their factors to, for its tensor cores; "
        f"weights stay float32, and float16 scales the loss (default {DEFAULT.precision})",
    )
    _option(
        group,
        "--cuda-graph",
        action=argparse.BooleanOptionalAction,
        help="on a GPU, launch the kernels of a forward and backward pass at once, as a CUDA graph (default: each by "
        "itself)",
    )
    group.add_argument(
        "--output",
        metavar="DIR",
        help="new folder for checkpoints, log and curves (default runs/MODEL-DATE-TIME)",
    )
    group.add_argument(
        "--resume",
        nargs="?",
        const=LATEST,
        metavar="PATH",
        help="continue the run in this folder, or from this checkpoint.safetensors; without PATH, the run in "
        "--output or else the latest under runs/. Other options are taken from the run; --device, --threads, "
        "--kernels, --precision, --cuda-graph and --data-dir may change, and --epochs unless the schedule is onecycle "
        "or cosine",
    )
    group.add_argument("--no-progress", action="store_true", help="no progress bar, only the table")


def _option(group, flag, **keywords):
    group.add_argument(flag, default=argparse.SUPPRESS, **keywords)


def _each(defaults):
    return ", ".join(f"{name} {value:g}" for name, value in defaults.items())
