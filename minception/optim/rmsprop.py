"""RMSprop."""

from .. import kernels
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """Divide the gradient by a running average of its magnitude; optionally centered, with momentum.

    alpha: decay of the running averages; eps: added to the root, outside it; centered: divide by an estimate of the
    standard deviation instead of the root mean square; maximize: ascend instead. Other arguments and errors: see
    `Optimizer`. Formulas and source: see `minception.kernels.reference.rmsprop_update`.
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        *,
        maximize=False,
    ):
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_options(self, options):
        super().check_options(options)
        self.require("epsilon value", options["eps"])
        self.require("momentum value", options["momentum"])
        self.require("alpha value", options["alpha"])

    def update_all(self, parameters, grads, states, group):
        for state in states:
            state["step"] = state.get("step", 0) + 1
        kernels.rmsprop_update_all(
            parameters,
            grads,
            self._buffers(states, "square_avg", parameters),
            self._buffers(states, "grad_avg", parameters) if group["centered"] else None,
            self._buffers(states, "momentum_buffer", parameters) if group["momentum"] > 0 else None,
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            maximize=group["maximize"],
        )


RMSProp = RMSprop
