"""Dropout."""

from .. import functional as F
from ..kernels.checks import real
from .module import Module


class Dropout(Module):
    """In training, each element is zeroed with probability `p` and the others are scaled by 1 / (1 - p); in evaluation
    the input passes unchanged. Draws from `minception.default_generator()`. PyTorch's `inplace` is not offered.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014), in the inverted
    form of its section 10. Raises ValueError unless 0 <= p <= 1, TypeError for a p that is not a real
    number.
    """

    def __init__(self, p=0.5):
        super().__init__()
        if not 0 <= real("Dropout", "p", p) <= 1:
            raise ValueError(f"Dropout: dropout probability has to be between 0 and 1, but got {p}")
        self.p = p

    def forward(self, input):
        return F.dropout(input, self.p, self.training)

    def extra_repr(self):
        # PyTorch's text, whose second half is always so here.
        return f"p={self.p}, inplace=False"
