"""What a QuantizeLinear makes of each kind of expression."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["REALISE", "realises"]

#: By the expression's ``op``: called with reader, expression and epilogue, adds kernels.
REALISE: dict[str, Callable] = {}


def realises(op: str):
    """Registers what becomes of expressions of this kind."""

    def register(function):
        REALISE[op] = function
        return function

    return register
