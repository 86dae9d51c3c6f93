"""Adam with decoupled weight decay."""

from .. import kernels
from .adam import Adam


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter directly, by lr * weight_decay, instead of joining the gradient.

    Arguments and errors: see `Adam`. Formulas and source: see `minception.kernels.reference.adamw_update`.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update_all(self, parameters, grads, states, group):
        self._update_with(kernels.adamw_update_all, parameters, grads, states, group)
