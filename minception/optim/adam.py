"""Adam."""

from .. import kernels
from .optimizer import Optimizer, partition


class Adam(Optimizer):
    """Adam: steps along the running mean of the gradient, divided by the root of the running mean of its square.

    betas: decay of the two running averages; eps: added to the root, outside it; weight_decay: an L2 penalty (for
    decoupled weight decay see `AdamW`); amsgrad: divide by the largest average so far; maximize: ascend instead. Other
    arguments and errors: see `Optimizer`. Formulas and source: see `minception.kernels.reference.adam_update`.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        maximize=False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_options(self, options):
        super().check_options(options)
        self.require("epsilon value", options["eps"])
        betas = options["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"{type(self).__name__}: Invalid betas: {betas!r} is not a pair of numbers")
        for i, beta in enumerate(betas):
            self.require(f"beta parameter at index {i}", beta, below=1)

    def update_all(self, parameters, grads, states, group):
        self._update_with(kernels.adam_update_all, parameters, grads, states, group)

    def _update_with(self, kernel, parameters, grads, states, group):
        for state in states:
            state["step"] = state.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        for step, alike in partition(lambda state: state["step"], parameters, grads, states):
            parameters, grads, states = alike
            kernel(
                parameters,
                grads,
                self._buffers(states, "exp_avg", parameters),
                self._buffers(states, "exp_avg_sq", parameters),
                self._buffers(states, "max_exp_avg_sq", parameters) if group["amsgrad"] else None,
                step=step,
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                eps=group["eps"],
                weight_decay=group["weight_decay"],
                maximize=group["maximize"],
            )
