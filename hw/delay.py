"""Delay lines: several stages to a register, or a memory for what is long and wide."""

from amaranth.hdl import Cat, Module, Signal, Value

from tenon.hw import emit
from tenon.hw.memory import Memory

__all__ = ["delay", "remembered"]

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


def remembered(m: Module, name: str, value: Value, stages: int, now: Value) -> Value:
    """``value`` as it was ``stages`` cycles ago, out of a memory ``name``: no register but the memory's own.

    ``now`` counts cycles, modulo a power of two of at least ``stages``. Undefined before as many cycles have passed.
    """
    depth = 1 << (stages - 1).bit_length()
    if stages < 2 or depth > 1 << len(now):
        raise ValueError(f"a memory delays by 2 to {1 << len(now)} cycles here, not {stages}")
    memory = emit.instance(m, name, Memory(width=len(value), depth=depth))
    here = now[:(depth - 1).bit_length()]
    m.d.comb += [
        memory.w_en.eq(1), memory.w_addr.eq(here), memory.w_data.eq(value),
        memory.r_en.eq(1), memory.r_addr.eq(here - (stages - 1)),
    ]
    return memory.r_data
