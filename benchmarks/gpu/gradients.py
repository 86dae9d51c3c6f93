"""The part "gradients": in float64, the loss of every network along a random direction of all its parameters.

The slope that backward says, the sum of gradient times direction, is compared with a central difference of the loss.
Of directions of independent normal numbers the slope's standard deviation is the norm of the gradient, so errors are
given relative to that: a parameter whose gradient is quite wrong shows as its share of the norm.
"""

import inspect
import time

import numpy as np

SMALL = {"num_classes": 3, "in_channels": 3, "width": 0.04, "aux_logits": True, "dropout": 0.0, "dropout_aux": 0.0}
LARGE_IMAGES = ("lenet5", "vgg16", "vgg16_bn")  # which smaller ones do not reach through
BATCH, SIZE, LARGE_SIZE = 4, 12, 32
DIRECTIONS = 2
# A step must be short: within it, no ReLU and no maximum among thousands may change its mind. So two lengths are tried,
# and the better counts; a wrong gradient is wrong for both. Rounding is about 1e-16 / STEPS of the loss.
STEPS = (1e-8, 1e-9)
TOLERANCE = 1e-5
NOISE = 0.01  # added to parameters: a bias of exactly 0 behind dead units puts a ReLU on its bend
SMOKE = ("lenet5", "mini_xception")


def run(settings, report, device="cuda:0"):
    from minception import models

    deadline = time.monotonic() + settings.seconds
    names = SMOKE if settings.smoke else models.names()
    for done, name in enumerate(names):
        if time.monotonic() > deadline:
            report.notes.append(f"no time was left for {', '.join(names[done:])}")
            break
        print(f"gradients: {name}", flush=True)
        error = error_of(name, device)
        report.result[name] = error
        if not error <= TOLERANCE:
            report.problems.append(f"{name}: off by {error:.1e} of the gradient's norm, more than {TOLERANCE:.0e}")
        report.save()


def build(name):
    """The network with few channels, in float64 and without dropout."""
    import minception as mc
    from minception import models

    mc.manual_seed(1)
    entry = models.entry(name)
    accepted = inspect.signature(entry.constructor).parameters
    options = {option: value for option, value in SMALL.items() if option in accepted}
    return models.create(name, **(entry.small_images | options)).double()


def error_of(name, device):
    """The largest error of a slope along some directions, relative to the norm of the gradient."""
    import minception as mc
    from minception.kernels.transfer import on_device, to_device
    from minception.models.auxiliary import classification_loss

    model, rng = build(name).to(device), np.random.default_rng(0)
    size = LARGE_SIZE if name in LARGE_IMAGES else SIZE
    images = mc.from_numpy(rng.standard_normal((BATCH, 3, size, size))).to(device)
    labels = mc.from_numpy(np.arange(BATCH) % SMALL["num_classes"]).to(device)

    def loss():
        return classification_loss(model(images), labels, 0.1)

    with on_device(device):
        for p in model.parameters():
            p._array[...] += to_device(NOISE * rng.standard_normal(p.shape), device)
        loss().backward()
        parameters = [p for p in model.parameters() if p.grad is not None]
        gradients = [np.asarray(p.grad.cpu()) for p in parameters]
        norm = sum(float((gradient**2).sum()) for gradient in gradients) ** 0.5
        values = [p._array.copy() for p in parameters]

        def loss_at(step, direction):
            for p, value, along in zip(parameters, values, direction, strict=True):
                p._array[...] = value + step * along
            with mc.no_grad():
                return float(loss())

        errors = []
        for _ in range(DIRECTIONS):
            direction = [rng.standard_normal(gradient.shape) for gradient in gradients]
            slope = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True))
            there = [to_device(along, device) for along in direction]
            differences = [(loss_at(step, there) - loss_at(-step, there)) / (2 * step) for step in STEPS]
            errors.append(min(abs(difference - slope) for difference in differences) / norm)
    return max(errors)


def lines(result):
    yield f"slope of the loss, relative to the gradient's norm; at most {TOLERANCE:.0e} is rounding"
    for name, error in result.items():
        yield f"{name:22} {error:8.1e}"
