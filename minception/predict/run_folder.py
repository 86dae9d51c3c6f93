"""What the folder of a training run says about its network."""

import json
import math
from typing import NamedTuple

from minception.models.preprocessing import Preprocessing
from minception.train.config import TrainConfig
from minception.train.errors import RunError
from minception.train.folder import BEST, CHECKPOINT, CONFIG, WEIGHTS

SIZE = 32  # pixels a side, of all data that a run trains on


class Run(NamedTuple):
    """A trained network: its settings, its file of weights, how its pictures are prepared, its classes."""

    config: TrainConfig
    weights: object  # Path
    preprocessing: Preprocessing
    class_names: tuple


def find_run(path):
    """The `Run` in the folder `path`, or of the file `path` in one; None for a file that is not of a run.

    A folder's weights are those after its best epoch, else after the last, else those of its checkpoint. Raises
    RunError for a folder that holds no run or a damaged one, ConfigError for a run of another version.
    """
    if path.is_dir():
        found = [path / name for name in (BEST, WEIGHTS, CHECKPOINT) if (path / name).is_file()]
        if not found or not (path / CONFIG).is_file():
            missing = CONFIG if found else f"none of {BEST}, {WEIGHTS} and {CHECKPOINT}"
            raise RunError(f"{path}: not the folder of a training run: it holds {'no ' if found else ''}{missing}")
        return _read(path / CONFIG, found[0])
    config = path.with_name(CONFIG)
    if path.name in (BEST, WEIGHTS, CHECKPOINT) and path.is_file() and config.is_file():
        return _read(config, path)
    return None


def _read(path, weights):
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        settings, data = dict(record["config"]), record["data"]
        mean, std = (tuple(map(float, data[name])) for name in ("mean", "std"))
        names = tuple(data["class_names"])
        valid = (
            len(mean) == len(std) == 3
            and all(map(math.isfinite, mean + std))
            and min(std) > 0
            and len(names) > 0
            and all(isinstance(name, str) for name in names)
        )
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise RunError(f"{path}: damaged, or not the {CONFIG} of a training run")
    return Run(TrainConfig.from_dict(settings), weights, Preprocessing(SIZE, SIZE, mean, std), names)
