"""Addresses of a loop nest: one step per cycle, one adder per operand, no multiplier."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.choice import one_hot

__all__ = ["AddressNest"]


class AddressNest(wiring.Component):
    """Walks a nest of loops; each operand's address is its base plus, for each level, index times stride.

    Addresses are modulo 2**width. An operand keeps, for each level that moves it, the address at that level's last step:
    where it returns to when the levels within start over.

    Parameters
    ----------
    levels : sequence of str
        Outermost first.
    operands : mapping
        The levels that move each operand; the outermost is among them.
    widths : mapping
        Bits of each operand's addresses: those of its memory, since a legal instruction's addresses are all inside.
    indices : mapping, optional
        Bits of the index of each level whose index is asked for.
    held : bool
        Counts and strides hold still from ``load`` to the last step, so that the nest need not keep them.

    Members
    -------
    load : In(1)
        Start over with the ``count_LEVEL``, ``base_OPERAND`` and ``stride_OPERAND_LEVEL`` of this cycle.
    step : In(1)
        Go on. Not at the last step, unless with ``load``.
    count_LEVEL : In(16)
        Extent less 1.
    base_OPERAND, stride_OPERAND_LEVEL : In(width), In(signed(width))
    first_LEVEL, last_LEVEL, index_LEVEL : Out(1), Out(1), Out
        Whether the index is 0, and the extent less 1; its lower bits.
    last : Out(1)
        All levels are at their last.
    address_OPERAND : Out(width)
    """

    def __init__(self, levels: Sequence[str], operands: Mapping[str, Sequence[str]], *, widths: Mapping[str, int],
                 indices: Mapping[str, int] = MappingProxyType({}), held: bool = False):
        for operand, moved_by in operands.items():
            if levels[0] not in moved_by:
                raise ValueError(f"operand {operand!r} must be moved by the outermost level, {levels[0]!r}")
            for level in moved_by:
                if level not in levels:
                    raise ValueError(f"operand {operand!r} must be moved by levels of the nest, not {level!r}")
        self.levels = tuple(levels)
        self.operands = {operand: tuple(moved_by) for operand, moved_by in operands.items()}
        self.widths, self.indices = dict(widths), dict(indices)
        self.held = held
        members = {"load": In(1), "step": In(1), "last": Out(1)}
        for level in self.levels:
            members |= {f"count_{level}": In(16), f"first_{level}": Out(1), f"last_{level}": Out(1)}
        members |= {f"index_{level}": Out(bits) for level, bits in self.indices.items()}
        for operand, moved_by in self.operands.items():
            width = self.widths[operand]
            members |= {f"base_{operand}": In(width), f"address_{operand}": Out(width)}
            members |= {f"stride_{operand}_{level}": In(signed(width)) for level in moved_by}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        def state(name, shape=16):
            return Signal(shape, reset_less=True, name=name)

        # One level steps: the innermost that is not at its last. Those within it start over. Which one it will be is known a
        # step ahead, in registers: finding out is no part of the way from one address to the next.
        steps = {level: state(f"{level}_steps", 1) for level in self.levels}
        first_last, next_last, lasts, ends = {}, {}, {}, {}
        starts_over, outer = {}, 0
        for level in self.levels:
            starts_over[level] = outer
            outer |= steps[level]
            left = state(f"{level}_left")
            first, last = (state(f"{level}_{name}", 1) for name in ("at_first", "at_last"))
            extent = getattr(self, f"count_{level}")
            count, single = self._kept(m, f"{level}_count", extent), self._kept(m, f"{level}_single", extent == 0)
            first_last[level], lasts[level], ends[level] = extent == 0, last, left == 1
            next_last[level] = Mux(starts_over[level], single, Mux(steps[level], ends[level], last))
            with m.If(self.load):
                m.d.sync += [left.eq(extent), first.eq(1), last.eq(first_last[level])]
            with m.Elif(self.step):
                m.d.sync += last.eq(next_last[level])
                with m.If(starts_over[level]):
                    m.d.sync += [left.eq(count), first.eq(1)]
                with m.Elif(steps[level]):
                    m.d.sync += [left.eq(left - 1), first.eq(0)]
            m.d.comb += [getattr(self, f"first_{level}").eq(first), getattr(self, f"last_{level}").eq(last)]
            if level in self.indices:
                index = state(f"{level}_index", self.indices[level])
                m.d.comb += getattr(self, f"index_{level}").eq(index)
                with m.If(self.load | (self.step & starts_over[level])):
                    m.d.sync += index.eq(0)
                with m.Elif(self.step & steps[level]):
                    m.d.sync += index.eq(index + 1)
        # Those within a level are all at their last after a step if the one that steps gets there, those outside it are there, and
        # those that start over have one index; or if all of them start over and have one.
        within_first, last_after = 1, []  # pairs: a level among these steps; all of these are at their last after that
        for level in reversed(self.levels):
            within_single = state(f"within_{level}_single", 1) if last_after else Const(1)
            within_next = one_hot(*last_after, (starts_over[level] | steps[level], within_single))
            with m.If(self.load):
                m.d.sync += [steps[level].eq(within_first & ~first_last[level]), *([within_single.eq(within_first)] if last_after else [])]
            with m.Elif(self.step):
                m.d.sync += steps[level].eq(within_next & ~next_last[level])
            last_after = [(steps[level], ends[level] & within_single), *((steps_, after & lasts[level]) for steps_, after in last_after)]
            within_first &= first_last[level]
        all_at_last = state("all_at_last", 1)
        with m.If(self.load):
            m.d.sync += all_at_last.eq(within_first)
        with m.Elif(self.step):
            m.d.sync += all_at_last.eq(one_hot(*last_after))
        m.d.comb += self.last.eq(all_at_last)

        for operand, moved_by in self.operands.items():
            width = self.widths[operand]
            address = {level: state(f"{operand}_{level}_address", width) for level in moved_by}
            origin = Signal(width, name=f"{operand}_origin")
            move = Signal(width, name=f"{operand}_move")
            following = Signal(width, name=f"{operand}_following")
            origins, moves, around = [], [], None  # one of all levels steps, or none
            for level in self.levels:
                around = level if level in moved_by else around
                origins.append((steps[level], address[around]))
                if level in moved_by:
                    stride = self._kept(m, f"{operand}_{level}_stride", getattr(self, f"stride_{operand}_{level}").as_unsigned())
                    moves.append((steps[level], stride))
            m.d.comb += [origin.eq(one_hot(*origins)), move.eq(one_hot(*moves)), following.eq(origin + move)]
            for level in moved_by:
                with m.If(self.load):
                    m.d.sync += address[level].eq(getattr(self, f"base_{operand}"))
                with m.Elif(self.step & (starts_over[level] | steps[level])):
                    m.d.sync += address[level].eq(following)
            m.d.comb += getattr(self, f"address_{operand}").eq(address[moved_by[-1]])
        return m

    def _kept(self, m, name: str, value: Value) -> Value:
        """``value`` as it was at ``load``."""
        if self.held:
            return value
        register = Signal(len(value), name=name, reset_less=True)
        with m.If(self.load):
            m.d.sync += register.eq(value)
        return register
