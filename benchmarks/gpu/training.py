"""The part "training": a short run of `minception train --device cuda`, on CIFAR-10 if its folder is given."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

OPTIONS = ["--model", "mini_inception", "--epochs", "4", "--limit-train", "10000", "--limit-test", "2000"]
SMOKE_OPTIONS = ["--model", "lenet5", "--epochs", "1", "--limit-train", "8", "--limit-test", "4", "--batch-size", "4"]
BETTER_THAN_CHANCE = 0.2  # accuracy on ten classes after a few hundred steps; chance is 0.1


def run(settings, report):
    data = ["--data", "synthetic"]
    report.result["data"] = "synthetic shapes: no folder with CIFAR-10 was given (--data-dir)"
    if settings.data_dir is not None:
        require_cifar10(settings.data_dir)
        data = ["--data", "cifar10", "--data-dir", settings.data_dir]
        report.result["data"] = f"CIFAR-10 from {settings.data_dir}"
    options = SMOKE_OPTIONS if settings.smoke else OPTIONS
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        command = [sys.executable, "-m", "minception", "train", "--device", "cuda:0", "--no-progress"]
        command += [*options, *data, "--output", str(output)]
        report.result["command"] = " ".join(["minception", *command[3:-2]])
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=settings.seconds)
            failed = done.returncode and f"exit status {done.returncode}: {done.stderr[-2000:]}"
        except subprocess.TimeoutExpired:
            failed = f"it was not done after {settings.seconds:.0f} seconds"
        log = output / "log.jsonl"
        epochs = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    report.result["epochs"] = epochs
    if failed:
        report.problems.append(failed)
    elif not settings.smoke and epochs[-1]["test_accuracy"] < BETTER_THAN_CHANCE:
        report.problems.append(f"it learned nothing: {epochs[-1]['test_accuracy']:.1%} of the test images")


def require_cifar10(folder):
    """Raise ValueError unless CIFAR-10 is in a folder, so that nothing is downloaded in the time that is measured."""
    from minception.data.cifar import find_cifar

    if not Path(folder).is_dir() or find_cifar(folder) is None:
        raise ValueError(f"--data-dir {folder}: CIFAR-10 is not there")


def lines(result):
    yield f"{result.get('command', '')}\non {result.get('data', '')}"
    yield f"{'epoch':>5} {'seconds':>8} {'images/s':>9} {'train loss':>10} {'test loss':>10} {'test accuracy':>13}"
    for row in result.get("epochs", ()):
        yield (
            f"{row['epoch']:5} {row['seconds']:8.1f} {row['images_per_second']:9.0f} {row['train_loss']:10.3f} "
            f"{row['test_loss']:10.3f} {row['test_accuracy']:13.1%}"
        )
