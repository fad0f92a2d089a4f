"""The nest of LOAD and STORE: four levels, and the coordinates of each of their runs."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data

from tenon.hw.nest import AddressNest

__all__ = ["run_nest"]

_LEVELS = ("l3", "l2", "l1", "l0")


def run_nest(m: Module, fields: data.View, **widths: int) -> AddressNest:
    """A nest over coordinates of so many bits, connected to ``fields``, which hold still until its last step is taken."""
    nest = AddressNest(_LEVELS, dict.fromkeys(widths, _LEVELS), widths=widths, held=True)
    m.d.comb += [getattr(nest, f"count_{level}").eq(fields[f"n_{level}"]) for level in _LEVELS]
    for name in widths:
        m.d.comb += getattr(nest, f"base_{name}").eq(fields[name])
        m.d.comb += [getattr(nest, f"stride_{name}_{level}").eq(fields[f"{name}_{level}"]) for level in _LEVELS]
    return nest
