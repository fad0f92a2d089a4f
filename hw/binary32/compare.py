"""Maximum and minimum."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import CANONICAL_NAN, Operand, registers

__all__ = ["MinMax", "select_extreme"]


def select_extreme(m: Module, a: Value, b: Value, minimum: Value) -> Value:
    """The larger of two binary32 values, or the smaller where ``minimum`` is high, as ``MinMax`` defines it."""
    values, keys = [], []
    unordered = 0
    for name, bits in (("a", a), ("b", b)):
        operand = Operand(m, bits, name)
        value, key = Signal(32, name=f"{name}_flushed"), Signal(32, name=f"{name}_key")
        m.d.comb += [
            value[31].eq(operand.sign),
            value[:31].eq(operand.magnitude),
            key.eq(Mux(operand.sign, ~value, value ^ 0x80000000)),  # unsigned order = order of the values
        ]
        values.append(value)
        keys.append(key)
        unordered |= operand.nan
    take_second = (keys[0] < keys[1]) ^ minimum
    return Mux(unordered, CANONICAL_NAN, Mux(take_second, values[1], values[0]))


class MinMax(wiring.Component):
    """``o = max(a, b)``, or ``min(a, b)`` where ``minimum`` is high.

    A NaN operand gives NaN, and -0 is less than +0 (IEEE 754-2019 ``maximum`` and ``minimum``); so ``max(x, -inf)`` is
    ``x``. Latency ``latency`` cycle; one result per cycle.
    """

    latency = 1

    a: In(32)
    b: In(32)
    minimum: In(1)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        result, = registers(result=32)
        m.d.sync += result.eq(select_extreme(m, self.a, self.b, self.minimum))
        m.d.comb += self.o.eq(result)
        return m
