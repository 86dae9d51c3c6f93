"""What a training step changes, and its way into a checkpoint and back."""

from dataclasses import asdict, dataclass, field

from minception import default_generator
from minception.amp import GradScaler


@dataclass
class Totals:
    """Sums over the images of an epoch so far."""

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    seconds: float = 0.0

    def add(self, loss, correct, images, seconds):
        """Add a batch: its mean loss, its number of correct predictions, its size, and the time it took."""
        self.loss += loss * images
        self.correct += correct
        self.images += images
        self.seconds += seconds

    @property
    def mean_loss(self):
        """Mean loss per image."""
        return self.loss / self.images

    @property
    def accuracy(self):
        """Share of correct predictions, in [0, 1]."""
        return self.correct / self.images

    @property
    def images_per_second(self):
        """Images per second."""
        return self.images / self.seconds if self.seconds else 0.0


@dataclass
class TrainingState:
    """Model, optimizer and schedule, and how far the run has come.

    `epoch` counts the finished epochs, `batch` the finished batches of the current one, whose sums are `totals`.
    `learning_rate` is that of the latest step. `history` holds one dictionary for each finished epoch: the rows
    of the log. `graphed_passes` is a GraphedPasses, or None where kernels are launched each by itself.
    """

    model: object
    optimizer: object
    schedule: object
    scaler: GradScaler = field(default_factory=lambda: GradScaler(enabled=False))
    graphed_passes: object = None
    epoch: int = 0
    batch: int = 0
    learning_rate: float = 0.0
    totals: Totals = field(default_factory=Totals)
    history: list = field(default_factory=list)

    def finish_epoch(self, test, test_seconds):
        """Add the epoch's row to the history, and begin the next one. `test` is an Evaluation."""
        totals = self.totals
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "learning_rate": self.learning_rate,
                "train_loss": totals.mean_loss,
                "train_accuracy": totals.accuracy,
                "test_loss": test.loss,
                "test_accuracy": test.accuracy,
                "images_per_second": totals.images_per_second,
                "seconds": totals.seconds + test_seconds,
            }
        )
        self.epoch, self.batch, self.totals = self.epoch + 1, 0, Totals()

    @property
    def best(self):
        """The row of the epoch with the highest test accuracy, the first of equals; None before the first."""
        return max(self.history, key=lambda row: row["test_accuracy"], default=None)

    def state_dict(self):
        """Return everything that a resumed run needs, including the state of the default generator."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": default_generator().bit_generator.state,
            "epoch": self.epoch,
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "totals": asdict(self.totals),
            "history": self.history,
        }

    def load_state_dict(self, saved):
        """The inverse of `state_dict`; it also sets the default generator."""
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        if saved.get("scaler"):  # empty, or not there, if the run was not in float16 so far
            self.scaler.load_state_dict(saved["scaler"])
        default_generator().bit_generator.state = saved["generator"]
        self.epoch = saved["epoch"]
        self.batch = saved["batch"]
        self.learning_rate = saved["learning_rate"]
        self.totals = Totals(**saved["totals"])
        self.history = list(saved["history"])
