"""A `Case` describes a call; a `Call` is that call with its arrays, ready to be made."""

from dataclasses import dataclass, field, replace

import numpy as np

from .numbers import Numbers


@dataclass(frozen=True)
class Case:
    """One call of an operation, as hypothesis draws and prints it.

    inputs: what gradients are asked for, by argument name (None: left out); constants: arrays without a gradient;
    options: everything else; cotangent: kind of values of the output's gradient; seed: of its values.
    """

    inputs: dict
    options: dict = field(default_factory=dict)
    constants: dict = field(default_factory=dict)
    cotangent: str = "normal"
    seed: int = 0

    def call(self, dtype, lay_out=None):
        """The call in a dtype. `lay_out(name, array)` may return the array in another layout, or another one."""

        def concrete(group):
            return {name: None if v is None else v.array(dtype) for name, v in group.items()}

        call = Call(concrete(self.inputs), concrete(self.constants), dict(self.options), self, np.dtype(dtype))
        return call if lay_out is None else call.laid_out(lay_out)


@dataclass(frozen=True)
class Call:
    """Arrays and options by argument name, and the output's gradient on demand."""

    inputs: dict
    constants: dict
    options: dict
    case: Case
    dtype: np.dtype
    change: object = None  # what happens to every array, the cotangent included
    lay_out: object = None

    def cotangent(self, shape):
        """The gradient of a loss by an output of this shape: drawn, never ones."""
        return self._place("cotangent", Numbers(tuple(shape), self.case.cotangent, self.case.seed).array(self.dtype))

    def _place(self, name, array):
        array = array if self.lay_out is None else self.lay_out(name, array)
        return array if self.change is None else self.change(array)

    def laid_out(self, lay_out):
        """The same call with every array replaced by `lay_out(name, array)`, the cotangent included."""

        def apply(group):
            return {name: None if a is None else lay_out(name, a) for name, a in group.items()}

        return replace(self, inputs=apply(self.inputs), constants=apply(self.constants), lay_out=lay_out)

    def changed(self, change):
        """The same call with `change` applied to all floating arrays."""

        def apply(group):
            return {n: change(a) if a is not None and a.dtype.kind == "f" else a for n, a in group.items()}

        return replace(self, inputs=apply(self.inputs), constants=apply(self.constants), change=change)

    @property
    def arguments(self):
        """Everything by name: inputs, constants and options."""
        return {**self.inputs, **self.constants, **self.options}

    @property
    def arrays(self):
        """The arrays that a call must leave as they are, by name."""
        return {name: a for name, a in {**self.inputs, **self.constants}.items() if a is not None}
