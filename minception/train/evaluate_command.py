"""`minception evaluate`: accuracy, accuracy of each class, and the confusion matrix of a trained network."""

import json
from pathlib import Path

import numpy as np

import minception as mc
from minception import checkpoint, data
from minception.kernels.transfer import on_device
from minception.memory import keep_freed_memory

from . import datasets, plots
from .build import build_model
from .compilation_line import CompilationLine
from .config import DATA, ConfigError, TrainConfig
from .device import DEVICE_HELP, KERNELS_HELP, describe, explaining_memory, find_device, find_kernels
from .errors import RunError
from .evaluation import evaluate
from .folder import CHECKPOINT, CONFIG, WEIGHTS
from .progress import note
from .resume import read_checkpoint

NUMBERS, PICTURE = "evaluation.json", "confusion_matrix.png"


def add_arguments(parser):
    """Add the options to an `argparse.ArgumentParser`."""
    parser.description = "Measure a trained network on test images."
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help=f"folder of a run (its {WEIGHTS}, the weights after the last epoch, else its {CHECKPOINT}), or a "
        f"checkpoint, or a file of weights with the run's {CONFIG} beside it",
    )
    parser.add_argument(
        "--data", help="cifar10 | cifar100 | synthetic | auto (default: the data the network was trained on)"
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder with the CIFAR archive or its extracted files (default: that of the training run)",
    )
    parser.add_argument("--limit-test", type=int, metavar="N", help="use only the first N test images")
    parser.add_argument(
        "--batch-size", type=int, default=256, metavar="N", help="images at a time (default %(default)s)"
    )
    parser.add_argument(
        "--mirrored", action="store_true", help="average the probabilities over each image and its mirror image"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: all)")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--kernels", help=KERNELS_HELP)
    parser.add_argument(
        "--output",
        metavar="DIR",
        help=f"folder for {NUMBERS} and {PICTURE} (default: the folder of CHECKPOINT)",
    )
    parser.add_argument("--no-progress", action="store_true", help="no bar while downloading, no line while compiling")


def run(arguments):
    """Run the command; return its exit status.

    Raises ConfigError, CheckpointError or RunError, whose messages are for the user.
    """
    _check(arguments)
    device = find_device(arguments.device)
    kernels = find_kernels(arguments.kernels, device)
    path, state_dict, record = _read(Path(arguments.checkpoint))
    config = TrainConfig.from_dict(record["config"])
    images = _load_data(arguments, config, record["data"])
    keep_freed_memory()
    mc.set_num_threads(arguments.threads or mc.get_num_threads())
    with mc.use_kernels(kernels), np.errstate(all="ignore"), on_device(device):
        model = build_model(config, len(record["data"]["class_names"]))
        checkpoint.load_into(model, state_dict, path)
        with (
            CompilationLine(not arguments.no_progress).watching(kernels),
            explaining_memory(device, arguments.batch_size),
        ):
            result = evaluate(model.to(device), images.test_loader(arguments.batch_size), mirrored=arguments.mirrored)
    if not np.isfinite(result.loss):
        raise RunError(f"{path}: the network's loss is {result.loss}; its weights are of no use")
    numbers = summary(result, images.test.class_names)
    _print(numbers, path, images.name, device)
    _save(Path(arguments.output or path.parent), numbers, path, images.name)
    return 0


def summary(result, class_names):
    """Return the numbers of an Evaluation as a dictionary of plain values."""
    matrix = result.confusion_matrix(len(class_names))
    classes = []
    for index, name in enumerate(class_names):
        total, correct = int(matrix[index].sum()), int(matrix[index, index])
        others = [(int(count), k) for k, count in enumerate(matrix[index]) if k != index and count]
        mistaken = max(others, default=None, key=lambda pair: pair[0])
        classes.append(
            {
                "name": name,
                "images": total,
                "correct": correct,
                "accuracy": correct / total if total else None,
                "most_often_taken_for": None if mistaken is None else class_names[mistaken[1]],
            }
        )
    return {
        "images": len(result.labels),
        "loss": result.loss,
        "accuracy": result.accuracy,
        "classes": classes,
        "confusion_matrix": matrix.tolist(),
    }


def _check(arguments):
    if arguments.data is not None and arguments.data not in DATA:
        raise ConfigError(f"--data {arguments.data}: unknown; choose one of {', '.join(DATA)}")
    for name in ("limit_test", "batch_size", "threads"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, got {value}")


def _read(path):
    """Return (the file that is read, its state_dict, the run's record)."""
    if path.is_dir():
        found = [path / name for name in (WEIGHTS, CHECKPOINT) if (path / name).is_file()]
        if not found:
            raise RunError(f"{path}: holds neither {WEIGHTS} nor {CHECKPOINT}")
        path = found[0]
    if checkpoint.kind(path) == checkpoint.CHECKPOINT:
        saved = read_checkpoint(path)
        return path, saved["model"], saved["run"]
    return path, checkpoint.load_weights(path), _read_record(path.with_name(CONFIG), path)


def _read_record(path, weights):
    """Read config.json, which says what network a file of weights belongs to."""
    try:
        record = json.loads(path.read_text())
        record["config"], record["data"]["class_names"], record["data"]["mean"]
    except FileNotFoundError:
        raise RunError(f"{weights}: needs the run's {path.name} beside it, which names the network") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{path}: damaged, or not the {path.name} of a training run") from None
    return record


def _load_data(arguments, config, trained_on):
    """The test images, standardised as in training."""
    name = arguments.data or trained_on["name"]
    images = datasets.select(
        name,
        arguments.data_dir or config.data_dir,
        limit_train=1,  # not used
        limit_test=arguments.limit_test,
        note=note,
        progress=not arguments.no_progress,
    )
    if images.test.num_classes != len(trained_on["class_names"]):
        raise ConfigError(
            f"--data {name} has {images.test.num_classes} classes, the network was trained on "
            f"{trained_on['name']} with {len(trained_on['class_names'])}"
        )
    statistics = data.ChannelStatistics(np.array(trained_on["mean"]), np.array(trained_on["std"]))
    return datasets.Data(images.name, images.train, images.test, statistics)


def _print(numbers, path, data_name, device):
    width = max(len(row["name"]) for row in numbers["classes"])
    print(f"{path} on {numbers['images']:,} test images of {data_name}, computed on {describe(device)}")
    print(f"accuracy {numbers['accuracy']:.2%}, loss {numbers['loss']:.4f}\n")
    print(f"{'class':<{width}}  images  accuracy  most often taken for")
    for row in numbers["classes"]:
        accuracy = "-" if row["accuracy"] is None else f"{row['accuracy']:.2%}"
        print(f"{row['name']:<{width}}  {row['images']:>6}  {accuracy:>8}  {row['most_often_taken_for'] or '-'}")


def _save(folder, numbers, path, data_name):
    title = f"{path.parent.name}/{path.name} on {data_name}: {numbers['accuracy']:.2%}"
    names = [row["name"] for row in numbers["classes"]]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = {"checkpoint": str(path), "data": data_name, **numbers}
        checkpoint.write_atomically(folder / NUMBERS, json.dumps(content, indent=2) + "\n")
        picture = plots.confusion(np.array(numbers["confusion_matrix"]), names, title)
        checkpoint.write_atomically(folder / PICTURE, picture)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror or error}") from error
    print(f"\nNumbers in {folder / NUMBERS}, confusion matrix in {folder / PICTURE}")
