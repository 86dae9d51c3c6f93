"""A piece of work that is timed: a network, the size of its batch, and whether it is trained or evaluated."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """One repetition is a whole training step (forward, loss, backward, optimizer) or one forward pass of evaluation.

    must, aim: goals for the ratio of our time to the best of PyTorch's modes.
    """

    name: str
    network: str
    batch: int
    size: int
    training: bool = True
    options: dict = field(default_factory=dict)
    num_classes: int = 10
    must: float = 1.0
    aim: float = 0.67
    quick: bool = False

    def multiply_accumulates(self):
        """Those of a repetition: a training step multiplies three times, forward and for both gradients."""
        from minception import models, nn

        with nn.init.skip_init():
            model = models.create(self.network, num_classes=self.num_classes, **self.options)
        once = models.count_multiply_accumulates(model, self.size)
        return once * self.batch * (3 if self.training else 1)
