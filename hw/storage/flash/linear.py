"""Linear maps over GF(2): of codes, scramblers and checksums, whose state after a word is a sum of bits of state and word."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from amaranth.hdl import Const, Mux, Value

__all__ = ["Linear", "add"]


def add(values: Iterable[Value]) -> Value:
    """The sum over GF(2), as a tree."""
    values = list(values)
    while len(values) > 1:
        values = [values[k] ^ values[k + 1] if k + 1 < len(values) else values[k] for k in range(0, len(values), 2)]
    return values[0]


@dataclass(frozen=True)
class Linear:
    """A map to ``width`` bits, by what each input bit adds.

    In gateware it is written that way too, not as a parity for each output bit: a simulator adds whole words, synthesis finds the parities.
    """

    width: int
    columns: tuple[int, ...]

    @classmethod
    def of(cls, function: Callable[[int], int], inputs: int, width: int) -> Linear:
        """A linear function of ``inputs`` bits."""
        return cls(width, tuple(function(1 << k) for k in range(inputs)))

    def __call__(self, value: Value) -> Value:
        return add(Mux(value[k], Const(column, self.width), 0) for k, column in enumerate(self.columns))
