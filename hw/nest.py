"""Addresses of a loop nest: one step per cycle, one adder per operand, no multiplier."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AddressNest"]


class AddressNest(wiring.Component):
    """Walks a nest of loops; each operand's address is its base plus, for each level, index times stride.

    Addresses are modulo 2**16. An operand keeps, for each level that moves it, the address at that level's last step:
    where it returns to when the levels within start over.

    Parameters
    ----------
    levels : sequence of str
        Outermost first.
    operands : mapping
        The levels that move each operand; the outermost is among them.

    Members
    -------
    load : In(1)
        Start over with the ``count_LEVEL``, ``base_OPERAND`` and ``stride_OPERAND_LEVEL`` of this cycle.
    step : In(1)
        Go on. Not at the last step, unless with ``load``.
    count_LEVEL : In(16)
        Extent less 1.
    base_OPERAND, stride_OPERAND_LEVEL : In(16), In(signed(16))
    index_LEVEL, last_LEVEL : Out(16), Out(1)
        Index, and whether it is the extent less 1.
    last : Out(1)
        All levels are at their last.
    address_OPERAND : Out(16)
    """

    def __init__(self, levels: Sequence[str], operands: Mapping[str, Sequence[str]]):
        for operand, moved_by in operands.items():
            if levels[0] not in moved_by:
                raise ValueError(f"operand {operand!r} must be moved by the outermost level, {levels[0]!r}")
            for level in moved_by:
                if level not in levels:
                    raise ValueError(f"operand {operand!r} must be moved by levels of the nest, not {level!r}")
        self.levels = tuple(levels)
        self.operands = {operand: tuple(moved_by) for operand, moved_by in operands.items()}
        members = {"load": In(1), "step": In(1), "last": Out(1)}
        for level in self.levels:
            members |= {f"count_{level}": In(16), f"index_{level}": Out(16), f"last_{level}": Out(1)}
        for operand, moved_by in self.operands.items():
            members |= {f"base_{operand}": In(16), f"address_{operand}": Out(16)}
            members |= {f"stride_{operand}_{level}": In(signed(16)) for level in moved_by}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        def state(name, shape=16):
            return Signal(shape, reset_less=True, name=name)

        # One level steps: the innermost that is not at its last. Those within it start over.
        index = {level: state(f"{level}_index") for level in self.levels}
        count = {level: state(f"{level}_count") for level in self.levels}
        steps = {level: Signal(name=f"{level}_steps") for level in self.levels}
        within = 1
        for level in reversed(self.levels):
            last = getattr(self, f"last_{level}")
            m.d.comb += [
                last.eq(index[level] == count[level]),
                steps[level].eq(within & ~last),
                getattr(self, f"index_{level}").eq(index[level]),
            ]
            within &= last
        m.d.comb += self.last.eq(within)

        starts_over = {}
        outer = 0
        for level in self.levels:
            starts_over[level] = outer
            outer |= steps[level]
            with m.If(self.load):
                m.d.sync += [count[level].eq(getattr(self, f"count_{level}")), index[level].eq(0)]
            with m.Elif(self.step & outer):
                m.d.sync += index[level].eq(Mux(starts_over[level], 0, index[level] + 1))

        for operand, moved_by in self.operands.items():
            address = {level: state(f"{operand}_{level}_address") for level in moved_by}
            stride = {level: state(f"{operand}_{level}_stride", signed(16)) for level in moved_by}
            origin, move = Signal(16, name=f"{operand}_origin"), Signal(signed(16), name=f"{operand}_move")
            following = Signal(16, name=f"{operand}_following")
            m.d.comb += following.eq(origin + move)
            around = None
            for level in self.levels:
                around = level if level in moved_by else around
                with m.If(steps[level]):
                    m.d.comb += [origin.eq(address[around]), move.eq(stride[level] if level in moved_by else 0)]
            for level in moved_by:
                with m.If(self.load):
                    m.d.sync += [
                        address[level].eq(getattr(self, f"base_{operand}")),
                        stride[level].eq(getattr(self, f"stride_{operand}_{level}")),
                    ]
                with m.Elif(self.step & (starts_over[level] | steps[level])):
                    m.d.sync += address[level].eq(following)
            m.d.comb += getattr(self, f"address_{operand}").eq(address[moved_by[-1]])
        return m
