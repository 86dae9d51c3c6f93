"""The training loop."""

import time
from contextlib import closing

import numpy as np

import minception as mc
from minception import optim
from minception.models.auxiliary import main_logits

from . import nonfinite
from .device import device_of_model
from .evaluation import evaluate
from .graphed_passes import passes

SMALLEST_SCALE = 1.0  # below it gradients are not too large because of the scale


def train(state, data, config, folder, progress, interruption):
    """Train until `config.epochs` epochs are done, and save after each of them.

    state: TrainingState, fresh or resumed, changed in place. data: Data. folder: RunFolder.
    Raises Interrupted between two steps after Ctrl-C, and NonFiniteError when the numbers run away.
    """
    test_loader = data.test_loader(config.batch_size)
    while state.epoch < config.epochs:
        train_loader = data.train_loader(config, state.epoch)
        with progress.epoch(state, config.epochs, train_loader.num_images):
            train_epoch(state, train_loader, config, progress, interruption)
            started = time.perf_counter()
            progress.testing()
            test = evaluate(state.model, test_loader, lambda images: interruption.check())
        nonfinite.check_before_saving(state, test.loss)
        state.finish_epoch(test, time.perf_counter() - started)
        folder.save_epoch(state)
        progress.row(state.history[-1])


def train_epoch(state, loader, config, progress, interruption):
    """Take the steps that are left of the current epoch."""
    state.model.train()
    started = time.perf_counter()
    with closing(loader.epoch(state.epoch, start_batch=state.batch)) as batches:
        for images, labels in batches:
            interruption.check()
            loss, correct = train_step(state, images, labels, config, len(loader))
            state.batch += 1
            now = time.perf_counter()
            state.totals.add(loss, correct, len(labels), now - started)
            started = now
            progress.step(state.totals, len(labels))


def train_step(state, images, labels, config, steps_per_epoch):
    """One step of gradient descent on a batch; return its loss and the number of correct predictions.

    images: float32 (N, 3, H, W). labels: int64 (N,). Both are NumPy arrays, and go to the device of the model.
    """
    attempt = nonfinite.Attempt(state, images, labels, config, steps_per_epoch)
    if state.graphed_passes is not None:
        outputs, loss = state.graphed_passes(images, labels)
    else:
        device = device_of_model(state.model)
        on_device = (mc.from_numpy(array).to(device) for array in (images, labels))
        outputs, loss = passes(state, *on_device, config.label_smoothing)
    attempt.check_loss(float(loss))  # not before, or a GPU would have to wait for what it is to do next
    fits = state.scaler.unscale_(state.optimizer)
    if not state.scaler.is_enabled() or (not fits and state.scaler.get_scale() <= SMALLEST_SCALE):
        attempt.check_gradients()
    if config.clip_grad_norm is not None:
        optim.clip_grad_norm_(state.model.parameters(), config.clip_grad_norm)
    state.learning_rate = state.optimizer.param_groups[0]["lr"]
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.schedule.step()
    logits = np.asarray(main_logits(outputs).detach().cpu())
    correct = int(np.sum(logits.argmax(axis=1) == labels))
    return float(loss), correct
