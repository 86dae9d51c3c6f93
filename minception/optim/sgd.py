"""Stochastic gradient descent."""

from .. import kernels
from ..kernels.checks import real
from .optimizer import Optimizer, partition


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, Nesterov momentum and weight decay (an L2 penalty).

    With momentum mu, dampening tau, weight decay lambda, and for a parameter p with gradient g:

        g = g + lambda p
        b = mu b + (1 - tau) g          (at first b = g)
        p = p - lr b                    (Nesterov: p - lr (g + mu b))

    maximize: ascend instead. Other arguments and errors: see `Optimizer`; ValueError also where nesterov is asked for
    without momentum or with dampening. Source: see `minception.kernels.reference.sgd_update`.
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_options(self, options):
        super().check_options(options)
        momentum = options["momentum"]
        self.require("momentum value", momentum)
        real(type(self).__name__, "dampening", options["dampening"])
        if options["nesterov"] and (momentum <= 0 or options["dampening"] != 0):
            raise ValueError("SGD: Nesterov momentum requires a momentum and zero dampening")

    def update_all(self, parameters, grads, states, group):
        with_momentum = group["momentum"] != 0

        def is_first_step(state):
            return with_momentum and "momentum_buffer" not in state

        for first_step, alike in partition(is_first_step, parameters, grads, states):
            parameters, grads, states = alike
            kernels.sgd_update_all(
                parameters,
                grads,
                self._buffers(states, "momentum_buffer", parameters) if with_momentum else None,
                lr=group["lr"],
                momentum=group["momentum"],
                dampening=group["dampening"],
                weight_decay=group["weight_decay"],
                nesterov=group["nesterov"],
                first_step=first_step,
                maximize=group["maximize"],
            )
