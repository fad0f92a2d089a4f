"""The runs of LOAD and STORE: a nest of four levels, and how it is walked."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data

from tenon.hw.nest import AddressNest

__all__ = ["run_nest", "walk"]

_LEVELS = ("l3", "l2", "l1", "l0")


def run_nest(m: Module, fields: data.View, **widths: int) -> AddressNest:
    """A nest over coordinates of so many bits, connected to ``fields``, which hold still until its last step is taken."""
    nest = AddressNest(_LEVELS, dict.fromkeys(widths, _LEVELS), widths=widths, held=True)
    m.d.comb += [getattr(nest, f"count_{level}").eq(fields[f"n_{level}"]) for level in _LEVELS]
    for name in widths:
        m.d.comb += getattr(nest, f"base_{name}").eq(fields[name])
        m.d.comb += [getattr(nest, f"stride_{name}_{level}").eq(fields[f"{name}_{level}"]) for level in _LEVELS]
    return nest


def walk(m: Module, runs: AddressNest, *, valid: Value, ready: Signal, advance: Signal) -> Signal:
    """Walks ``runs`` over an instruction that is ``valid``: a run in each cycle of ``advance``, at the last of them ``ready``.

    The signal that is returned says that ``runs`` is at a run.
    """
    walking = Signal()
    step = Signal()
    m.d.comb += [runs.load.eq(valid & ~walking), step.eq(walking & advance), runs.step.eq(step & ~runs.last), ready.eq(step & runs.last)]
    with m.If(runs.load):
        m.d.sync += walking.eq(1)
    with m.Elif(ready):
        m.d.sync += walking.eq(0)
    return walking
