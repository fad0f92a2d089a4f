"""Delay lines, several stages to a register."""

from amaranth.hdl import Cat, Module, Signal, Value

__all__ = ["delay"]

_LINE_BITS = 64  # what a simulator moves in one step


def delay(m: Module, value: Value, stages: int, *, reset: bool = False) -> Value:
    """``value`` as it was ``stages`` cycles ago.

    ``reset`` for valid and state bits: the line starts empty. Data keep none.
    """
    if stages < 0:
        raise ValueError(f"a delay must be at least 0 cycles, not {stages}")
    width = len(value)
    per_line = max(1, _LINE_BITS // width)
    while stages:
        here = min(stages, per_line)
        line = Signal(here * width, reset_less=not reset, name=f"delay_{here}")
        m.d.sync += line.eq(Cat(value, line[:-width]))
        value = line[-width:]
        stages -= here
    return value
