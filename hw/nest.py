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
    index_LEVEL, first_LEVEL, last_LEVEL : Out(16), Out(1), Out(1)
        Index, and whether it is 0, and the extent less 1.
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
            members |= {f"count_{level}": In(16), f"index_{level}": Out(16), f"first_{level}": Out(1), f"last_{level}": Out(1)}
        for operand, moved_by in self.operands.items():
            members |= {f"base_{operand}": In(16), f"address_{operand}": Out(16)}
            members |= {f"stride_{operand}_{level}": In(signed(16)) for level in moved_by}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        def state(name, shape=16):
            return Signal(shape, reset_less=True, name=name)

        # One level steps: the innermost that is not at its last. Those within it start over. Which one it will be is known a
        # step ahead, in registers: finding out is no part of the way from one address to the next.
        steps = {level: state(f"{level}_steps", 1) for level in self.levels}
        first_last, next_last = {}, {}
        starts_over, outer = {}, 0
        for level in self.levels:
            starts_over[level] = outer
            outer |= steps[level]
            index, count, left = (state(f"{level}_{name}") for name in ("index", "count", "left"))
            first, last, single = (state(f"{level}_{name}", 1) for name in ("at_first", "at_last", "single"))
            extent = getattr(self, f"count_{level}")
            first_last[level] = extent == 0
            next_last[level] = Mux(starts_over[level], single, Mux(steps[level], left == 1, last))
            with m.If(self.load):
                m.d.sync += [count.eq(extent), single.eq(extent == 0), index.eq(0), left.eq(extent), first.eq(1),
                             last.eq(first_last[level])]
            with m.Elif(self.step):
                m.d.sync += last.eq(next_last[level])
                with m.If(starts_over[level]):
                    m.d.sync += [index.eq(0), left.eq(count), first.eq(1)]
                with m.Elif(steps[level]):
                    m.d.sync += [index.eq(index + 1), left.eq(left - 1), first.eq(0)]
            m.d.comb += [getattr(self, f"index_{level}").eq(index), getattr(self, f"first_{level}").eq(first),
                         getattr(self, f"last_{level}").eq(last)]
        m.d.comb += self.last.eq(~outer)

        within_first, within_next = 1, 1
        for level in reversed(self.levels):
            with m.If(self.load):
                m.d.sync += steps[level].eq(within_first & ~first_last[level])
            with m.Elif(self.step):
                m.d.sync += steps[level].eq(within_next & ~next_last[level])
            within_first &= first_last[level]
            within_next &= next_last[level]

        for operand, moved_by in self.operands.items():
            address = {level: state(f"{operand}_{level}_address") for level in moved_by}
            stride = {level: state(f"{operand}_{level}_stride", signed(16)) for level in moved_by}
            origin = Signal(16, name=f"{operand}_origin")
            move = Signal(signed(16), name=f"{operand}_move")
            following = Signal(16, name=f"{operand}_following")
            # One of all levels steps, or none: a choice without priorities.
            origins, moves, around = 0, 0, None
            for level in self.levels:
                around = level if level in moved_by else around
                origins |= address[around] & steps[level].replicate(16)
                if level in moved_by:
                    moves |= stride[level].as_unsigned() & steps[level].replicate(16)
            m.d.comb += [origin.eq(origins), move.eq(moves), following.eq(origin + move)]
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
