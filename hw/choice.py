"""A choice of which at most one is made."""

import functools
import operator

from amaranth.hdl import Value

__all__ = ["one_hot"]


def one_hot(*choices: tuple[Value, Value]) -> Value:
    """The value beside the one bit that is 1, or 0: ANDs and ORs, where a chain of multiplexers would have priorities."""
    return functools.reduce(operator.or_, (value & bit.replicate(len(value)) for bit, value in choices))
