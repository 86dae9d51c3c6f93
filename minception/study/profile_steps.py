"""Profiling of a network: training steps, or forward passes of evaluation, observed kernel by kernel."""

import statistics
import time

import numpy as np

from ..autograd import no_grad
from ..kernels.dispatch import observe
from ..kernels.transfer import on_device
from ..kernels.workspace import nothing_kept
from ..models.auxiliary import classification_loss, main_logits
from ..optim import SGD
from ..tensor import Tensor
from .profile_device import device_of_parameters, memory_traced, synchronize
from .profile_observers import Describer, Stopwatch
from .profile_result import DIRECTIONS, ENGINE, Profile, ProfileRow
from .profile_roof import measure_roof
from .trace import checked_size, undisturbed

WARM_UP = 2  # steps: the first compiles kernels, both make the memory that the later ones use again


def profile(model, input_size, in_channels=3, batch_size=16, training=True, repeat=10, roof=None):
    """Run a classifier on random images and return its `Profile`.

    input_size: height and width in pixels, an integer or a pair. training: whole steps (forward, loss, backward, SGD
    with Nesterov's momentum and weight decay), else forward passes in evaluation. repeat: how many observed steps the
    medians are of; between them run as many that are not observed. roof: as measured before; None measures it.

    It runs where the parameters lie. On a GPU each kernel is waited for, so that its time is its own: observed steps
    take longer than those that are not, by the launches that would else be made meanwhile.

    Parameters (unless gradients are infinite), modes, batch statistics and random state stay as they are; gradients are
    forgotten. Raises TypeError for what is no module, ValueError for numbers below 1, and whatever the model says of
    images that it cannot take.
    """
    numbers = {"in_channels": in_channels, "batch_size": batch_size, "repeat": repeat}
    input_size = checked_size("profile", model, input_size, **numbers)
    images = np.random.default_rng(0).standard_normal((batch_size, in_channels, *input_size))
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    steps = _Training if training else _Evaluation
    device = device_of_parameters(model)
    with undisturbed(model), on_device(device):
        step = steps(model.train(bool(training)), Tensor(images.astype(dtype)).to(device), device)
        for _ in range(WARM_UP):
            step.run()
        describer, saved, peak = _describe(model, step)
        plain, observed = _time(step, describer.records, repeat)
    roof = measure_roof(device) if roof is None else roof
    return Profile(
        type(model).__name__,
        input_size,
        in_channels,
        batch_size,
        bool(training),
        repeat,
        roof,
        _rows(describer.records, saved, observed, roof),
        statistics.median(plain),
        peak,
    )


class _Evaluation:
    """A step that is a forward pass without recording. passes: (direction, function) pairs, to be run in order."""

    def __init__(self, model, images, device):
        self.model, self.images, self.device = model, images, device
        self.passes = [("forward", self.forward)]

    def forward(self):
        with no_grad():
            self.model(self.images)

    def run(self, begin=lambda direction: None):
        """Run the passes; call `begin` before each. Returns their seconds."""
        seconds = []
        for direction, function in self.passes:
            begin(direction)
            started = time.perf_counter()
            function()
            synchronize(self.device)
            seconds.append(time.perf_counter() - started)
        return seconds


class _Training(_Evaluation):
    """A training step. The learning rate is 0, so that it may be repeated and leaves the parameters as they are."""

    def __init__(self, model, images, device):
        super().__init__(model, images, device)
        self.labels = None
        self.optimizer = SGD(model.parameters(), lr=0.0, momentum=0.9, nesterov=True, weight_decay=5e-4)
        self.passes = list(zip(DIRECTIONS, (self.forward, self.backward, self.update), strict=True))

    def forward(self):
        outputs = self.model(self.images)
        if self.labels is None:
            count, classes = main_logits(outputs).shape
            self.labels = Tensor(np.arange(count) % classes).to(self.device)
        self.loss = classification_loss(outputs, self.labels)

    def backward(self):
        self.loss.backward()
        del self.loss

    def update(self):
        self.optimizer.step()
        self.optimizer.zero_grad()


def _describe(model, step):
    """(the `Describer` of one step, what it saves for backward, the peak of its memory in bytes)."""
    describer = Describer(model)
    saved = []

    def begin(direction):
        describer.direction = direction
        if direction == "backward":
            saved.extend(describer.saved_bytes([step.images, *model.parameters(), *model.buffers()]))

    try:
        with observe(describer), nothing_kept(), memory_traced(step.device) as most:
            step.run(begin)
            peak = most()
    finally:
        describer.remove()
    return describer, saved, peak


def _time(step, records, repeat):
    """(seconds of steps that were not observed, seconds (repeat, records) of each call, and of what is outside
    kernels in each pass, as a dict from its direction)."""
    plain, calls, outside = [], [], {direction: [] for direction, _ in step.passes}
    names = [record.name for record in records]
    of_pass = {d: [i for i, record in enumerate(records) if record.direction == d] for d in outside}
    for _ in range(repeat):
        plain.append(sum(step.run()))
        watch = Stopwatch(step.device)
        with observe(watch):
            passes = step.run()
        if watch.names != names:
            raise RuntimeError("profile: the network does not do the same in every step, so that times cannot be told")
        seconds = np.array(watch.seconds)
        # What is recorded but moves nothing, such as making a view, is the engine's.
        seconds_of_kernels = seconds * [record.cost.bytes > 0 for record in records]
        calls.append(seconds)
        for direction, whole in zip(outside, passes, strict=True):
            outside[direction].append(whole - seconds_of_kernels[of_pass[direction]].sum())
    return plain, (np.array(calls), outside)


def _rows(records, saved, observed, roof):
    calls, outside = observed
    rows = {}
    for record, seconds in zip(records, np.median(calls, axis=0), strict=True):
        if record.cost.bytes == 0:
            continue
        key = (record.owner.layer, record.owner.kind, record.name, record.direction)
        row = rows.setdefault(key, {"calls": 0, "seconds": 0.0, "flops": 0, "bytes": 0, "floor_seconds": 0.0})
        row["calls"] += 1
        row["seconds"] += float(seconds)
        row["flops"] += record.cost.flops
        row["bytes"] += record.cost.bytes
        row["floor_seconds"] += roof.seconds(record.cost.flops, record.cost.bytes)
    for direction, times in outside.items():
        rows["", ENGINE, "", direction] = {"seconds": max(0.0, float(statistics.median(times)))}
    first_of = {}  # the forward row of an operation, which has what it keeps
    for key in rows:
        if key[3] == "forward":
            first_of.setdefault(key[:2], key)
    for owner, count in saved:
        row = rows[first_of.get((owner.layer, owner.kind), ("", ENGINE, "", "forward"))]
        row["saved_bytes"] = row.get("saved_bytes", 0) + count
    return tuple(ProfileRow(*key, **row) for key, row in rows.items())
