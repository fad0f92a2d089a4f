"""The nest of LOAD and STORE: walks four levels and gives the coordinates of each iteration, one per cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LEVELS", "Runs"]

LEVELS = 4


class Runs(wiring.Component):
    """Coordinates ``base + sum(stride[l] * index[l])``, by one adder for each coordinate; level 0 is the innermost.

    The first iteration of a nest is shown with its inputs, and the next nest's follows ``last`` without a pause.

    Parameters
    ----------
    **widths : int
        Bits of each coordinate, by its name. Sums are modulo 2**width.

    Members
    -------
    step : In(1)
        The iteration shown is taken.
    count : In(16) per level
        Iterations - 1.
    NAME_base, NAME_stride, NAME : In(width), In(width) per level, Out(width)
        ``count`` and these hold still from a nest's first iteration until its last is taken.
    last : Out(1)
        The iteration shown is the nest's last.
    """

    def __init__(self, **widths: int):
        self.widths = widths
        members = {"step": In(1), "count": In(16).array(LEVELS), "last": Out(1)}
        for name, width in widths.items():
            members |= {f"{name}_base": In(width), f"{name}_stride": In(width).array(LEVELS), name: Out(width)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        first = Signal(init=1)
        at_end = Signal(LEVELS)
        advances = Signal(LEVELS)
        m.d.comb += [self.last.eq(at_end.all())]
        with m.If(self.step):
            m.d.sync += first.eq(self.last)

        # Level l advances when all levels within it are at their ends and it is not; those within start again.
        for l in range(LEVELS):
            index, now = Signal(16, name=f"index{l}", reset_less=True), Signal(16, name=f"now{l}")
            m.d.comb += [now.eq(Mux(first, 0, index)), at_end[l].eq(now == self.count[l]),
                         advances[l].eq(at_end[:l].all() & ~at_end[l])]
            with m.If(self.step):
                m.d.sync += index.eq(Mux(advances[l], now + 1, Mux(at_end[:l + 1].all(), 0, now)))

        # `held[l]` is the coordinate where level l's current iteration began.
        for name, width in self.widths.items():
            base, stride = getattr(self, f"{name}_base"), getattr(self, f"{name}_stride")
            held = [Signal(width, name=f"{name}{l}", reset_less=True) for l in range(LEVELS)]
            now = [Signal(width, name=f"{name}{l}_now") for l in range(LEVELS)]
            start = Signal(width)
            by = Signal(width)
            following = Signal(width)
            m.d.comb += [now[l].eq(Mux(first, base, held[l])) for l in range(LEVELS)]
            m.d.comb += [getattr(self, name).eq(now[0]), following.eq(start + by)]
            for l in range(LEVELS):
                with m.If(advances[l]):
                    m.d.comb += [start.eq(now[l]), by.eq(stride[l])]
                with m.If(self.step):
                    m.d.sync += held[l].eq(Mux(Cat(advances[l:]).any(), following, now[l]))
        return m
