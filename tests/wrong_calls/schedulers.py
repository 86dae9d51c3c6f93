"""Wrong calls of the learning-rate schedules."""

from functools import partial

from minception import optim
from minception.optim import lr_scheduler

from .samples import sgd
from .table import not_integers, not_reals, wrong


def one_cycle(optimizer=None, max_lr=0.1, **options):
    steps = {} if {"total_steps", "epochs"} & options.keys() else {"total_steps": 10}
    return lr_scheduler.OneCycleLR(optimizer or sgd(momentum=0.9), max_lr, **steps, **options)


def common(make):
    """What every schedule refuses; `make(optimizer, last_epoch=...)`."""
    return [
        wrong("optimizer None", lambda: make(None), TypeError, "optimizer must be an Optimizer", "NoneType"),
        wrong("optimizer a class", lambda: make(optim.SGD), TypeError, "optimizer must be an Optimizer", "type"),
        *not_integers("last_epoch", lambda bad: make(sgd(momentum=0.9), last_epoch=bad)),
        wrong(
            "goes on from nothing", lambda: make(sgd(momentum=0.9), last_epoch=3), KeyError, '"initial_lr"', "group 0"
        ),
    ]


def positive(argument, call):
    return [
        *not_reals(argument, call, nan="must be positive"),
        wrong(f"{argument} zero", lambda: call(0), ValueError, f"{argument} must be positive, got 0.0"),
        wrong(f"{argument} negative", lambda: call(-2), ValueError, f"{argument} must be positive, got -2.0"),
    ]


def sequential(count=2, milestones=(5,), optimizer=None):
    own = sgd()
    schedulers = [lr_scheduler.ExponentialLR(own, 0.9) for _ in range(count)]
    return lr_scheduler.SequentialLR(optimizer or own, schedulers, milestones)


class NoRate(lr_scheduler.LRScheduler):
    """Lacks the methods that a schedule must have."""

    def get_lr(self):
        return self.current_lrs()


def past_the_end():
    schedule = one_cycle(total_steps=1)
    schedule.optimizer.step()
    for _ in range(2):
        schedule.step()


def load(state):
    return lr_scheduler.StepLR(sgd(), 2).load_state_dict(state)


TABLES = {
    "optim.lr_scheduler.LRScheduler": [
        wrong("optimizer None", lambda: lr_scheduler.LRScheduler(None), TypeError, "must be an Optimizer", "NoneType"),
        wrong("itself", lambda: lr_scheduler.LRScheduler(sgd()), NotImplementedError, "get_lr method of its own"),
    ],
    "LRScheduler.get_lr": [
        wrong("itself", lambda: lr_scheduler.LRScheduler(sgd()), NotImplementedError, "get_lr method of its own"),
    ],
    "LRScheduler.closed_form_lr": [
        wrong("missing", lambda: NoRate(sgd()).restart(), NotImplementedError, "NoRate", "closed_form_lr method"),
    ],
    "LRScheduler.load_state_dict": [
        wrong("None", lambda: load(None), TypeError, "StepLR", "expected a dict, got NoneType"),
        wrong("empty", lambda: load({}), ValueError, "StepLR", "expected the entries", "step_size", "got []"),
        wrong(
            "of another schedule",
            lambda: load(lr_scheduler.ExponentialLR(sgd(), 0.9).state_dict()),
            ValueError,
            "StepLR",
            "expected the entries",
            "step_size",
        ),
    ],
    "optim.lr_scheduler.StepLR": [
        *common(lambda optimizer, **options: lr_scheduler.StepLR(optimizer, 2, **options)),
        *positive("step_size", partial(lr_scheduler.StepLR, sgd())),
        *not_reals("gamma", lambda bad: lr_scheduler.StepLR(sgd(), 2, bad)),
    ],
    "optim.lr_scheduler.MultiStepLR": [
        *common(lambda optimizer, **options: lr_scheduler.MultiStepLR(optimizer, [2], **options)),
        wrong("no milestones", lambda: lr_scheduler.MultiStepLR(sgd(), None), TypeError, "milestones must be a list"),
        wrong(
            "milestones a number", lambda: lr_scheduler.MultiStepLR(sgd(), 3), TypeError, "milestones must be a list"
        ),
        *not_integers("milestones", lambda bad: lr_scheduler.MultiStepLR(sgd(), [2, bad])),
        *not_reals("gamma", lambda bad: lr_scheduler.MultiStepLR(sgd(), [2], bad)),
    ],
    "optim.lr_scheduler.ExponentialLR": [
        *common(lambda optimizer, **options: lr_scheduler.ExponentialLR(optimizer, 0.9, **options)),
        *not_reals("gamma", partial(lr_scheduler.ExponentialLR, sgd())),
    ],
    "optim.lr_scheduler.CosineAnnealingLR": [
        *common(lambda optimizer, **options: lr_scheduler.CosineAnnealingLR(optimizer, 5, **options)),
        *positive("T_max", partial(lr_scheduler.CosineAnnealingLR, sgd())),
        *not_reals("eta_min", lambda bad: lr_scheduler.CosineAnnealingLR(sgd(), 5, bad)),
    ],
    "optim.lr_scheduler.LinearLR": [
        *common(lr_scheduler.LinearLR),
        *not_reals("start_factor", partial(lr_scheduler.LinearLR, sgd())),
        *not_reals("end_factor", lambda bad: lr_scheduler.LinearLR(sgd(), 0.5, bad)),
        *not_reals("total_iters", lambda bad: lr_scheduler.LinearLR(sgd(), 0.5, 1.0, bad)),
        wrong(
            "start_factor zero", lambda: lr_scheduler.LinearLR(sgd(), 0.0), ValueError, "Starting multiplicative", "0.0"
        ),
        wrong(
            "end_factor 2", lambda: lr_scheduler.LinearLR(sgd(), 0.5, 2.0), ValueError, "Ending multiplicative", "2.0"
        ),
        wrong(
            "total_iters negative", lambda: lr_scheduler.LinearLR(sgd(), 0.5, 1.0, -1), ValueError, "total_iters", "-1"
        ),
    ],
    "optim.lr_scheduler.OneCycleLR": [
        *common(lambda optimizer, **options: lr_scheduler.OneCycleLR(optimizer, 0.1, 10, **options)),
        *not_reals("max_lr", lambda bad: one_cycle(max_lr=bad)),
        *not_reals("max_momentum", lambda bad: one_cycle(max_momentum=bad)),
        *not_reals("base_momentum", lambda bad: one_cycle(base_momentum=bad)),
        *positive("div_factor", lambda bad: one_cycle(div_factor=bad)),
        *positive("final_div_factor", lambda bad: one_cycle(final_div_factor=bad)),
        wrong("max_lr for two groups", lambda: one_cycle(max_lr=[0.1, 0.2]), ValueError, "max_lr has 2 values", "1"),
        wrong("no steps", lambda: one_cycle(epochs=3), ValueError, "total_steps OR", "steps_per_epoch"),
        wrong("total_steps zero", lambda: one_cycle(total_steps=0), ValueError, "positive integer total_steps", "0"),
        wrong("total_steps 1.5", lambda: one_cycle(total_steps=1.5), ValueError, "positive integer total_steps", "1.5"),
        wrong(
            "epochs zero", lambda: one_cycle(epochs=0, steps_per_epoch=2), ValueError, "positive integer epochs", "0"
        ),
        wrong("pct_start 2", lambda: one_cycle(pct_start=2.0), ValueError, "pct_start", "2.0"),
        wrong("pct_start an int", lambda: one_cycle(pct_start=1), ValueError, "float between 0 and 1 pct_start", "1"),
        wrong("anneal_strategy", lambda: one_cycle(anneal_strategy="exp"), ValueError, "anneal_strategy", "'exp'"),
        wrong("past the end", past_the_end, ValueError, "Tried to step 2 times", "total steps is 1"),
    ],
    "optim.lr_scheduler.SequentialLR": [
        wrong("no schedulers", lambda: sequential(0, ()), ValueError, "at least one scheduler"),
        wrong(
            "schedulers None",
            lambda: lr_scheduler.SequentialLR(sgd(), None, []),
            TypeError,
            "schedulers must be a list",
        ),
        wrong("schedulers numbers", lambda: lr_scheduler.SequentialLR(sgd(), [1], []), TypeError, "schedulers[0]", "1"),
        wrong(
            "another optimizer", lambda: sequential(optimizer=sgd()), ValueError, "schedulers[0]", "another optimizer"
        ),
        wrong("too few milestones", lambda: sequential(milestones=()), ValueError, "2 schedulers and 0 milestones"),
        wrong("milestones None", lambda: sequential(milestones=None), TypeError, "milestones must be a list, got None"),
        wrong("milestones float", lambda: sequential(milestones=[5.0]), TypeError, "milestones must be an integer"),
        wrong("milestones fall", lambda: sequential(3, [5, 2]), ValueError, "milestones must increase", "[5, 2]"),
        wrong("state None", lambda: sequential().load_state_dict(None), TypeError, "expected a dict, got NoneType"),
        wrong("state of none", lambda: sequential().load_state_dict({}), ValueError, "states of 2 schedulers", "got 0"),
    ],
}
