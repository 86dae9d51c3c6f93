"""The arguments of an intrinsic, while its code is generated."""

from numba import types

__all__ = ["Arguments"]


class Arguments:
    """The arguments of an intrinsic by name. names: of all of them, in one string."""

    def __init__(self, names, context, builder, signature, values):
        self.context, self.builder = context, builder
        self.kinds = dict(zip(names.split(), signature.args, strict=True))
        self.values = dict(zip(names.split(), values, strict=True))

    def data(self, name):
        """The address of an array's first number."""
        return self.context.make_array(self.kinds[name])(self.context, self.builder, self.values[name]).data

    def number(self, name):
        """The type of an array's numbers, as LLVM has it."""
        return self.context.get_value_type(self.kinds[name].dtype)

    def integer(self, name):
        return self.context.cast(self.builder, self.values[name], self.kinds[name], types.int64)
