"""A buffer between two buses of any width and alignment: dwords go in and come out some at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory

__all__ = ["DWORD_BITS", "DwordFifo"]

DWORD_BITS = 32


class DwordFifo(wiring.Component):
    """Holds ``lanes * rows`` dwords, where ``lanes`` is the wider side's; every lane is a memory of its own.

    Dwords stand side by side: n of them go in from lane ``i_first`` upward, and n come out from lane ``o_first`` upward. Nothing is
    checked: what goes in must have room, what is taken must be there.

    Members
    -------
    i_count, i_first, i : In, In, In(32 * i_lanes)
        So many dwords go in now.
    o_count, o_first, o_enable, o : In, In, In(1), Out(32 * o_lanes)
        So many are taken now if ``o_enable``; they are in ``o`` from the next cycle on, until the next ones.
    stored : Out
        Dwords that can be taken.
    """

    def __init__(self, *, i_lanes: int, o_lanes: int, rows: int):
        self.i_lanes, self.o_lanes, self.rows = i_lanes, o_lanes, rows
        self.lanes = max(i_lanes, o_lanes)
        super().__init__({
            "i_count": In(range(i_lanes + 1)), "i_first": In(range(max(2, i_lanes))), "i": In(DWORD_BITS * i_lanes),
            "o_count": In(range(o_lanes + 1)), "o_first": In(range(max(2, o_lanes))), "o_enable": In(1), "o": Out(DWORD_BITS * o_lanes),
            "stored": Out(range(self.lanes * rows + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, rows = self.lanes, self.rows
        tail, head = Signal(range(lanes * rows)), Signal(range(lanes * rows))
        taken = Signal(range(self.o_lanes + 1))
        m.d.comb += taken.eq(self.o_enable.replicate(len(taken)) & self.o_count)
        m.d.sync += [tail.eq(tail + self.i_count), head.eq(head + taken), self.stored.eq(self.stored + self.i_count - taken)]

        # Lane L of the memories gets the dword that stands at lane L - tail + i_first of the input.
        given = _rotated(m, "i", _dwords(self.i), self.i_first - tail)
        # Lane j of the output shows the dword of lane j + head - o_first: as it was when it was taken.
        shift = Signal(range(max(2, lanes)), reset_less=True)
        with m.If(self.o_enable):
            m.d.sync += shift.eq(head - self.o_first)
        found = []
        for lane in range(lanes):
            store = emit.instance(m, f"lane{lane}", Memory(width=DWORD_BITS, depth=rows))
            into, row = _place(m, f"w{lane}", lane, tail, lanes)
            out_of, out_row = _place(m, f"r{lane}", lane, head, lanes)
            m.d.comb += [
                store.w_en.eq(into < self.i_count), store.w_addr.eq(row), store.w_data.eq(given[lane % self.i_lanes]),
                store.r_en.eq(self.o_enable & (out_of < self.o_count)), store.r_addr.eq(out_row),
            ]
            found.append(store.r_data)
        m.d.comb += self.o.eq(Cat(_rotated(m, "o", found, shift)[:self.o_lanes]))
        return m


def _dwords(value) -> list:
    return [value.word_select(k, DWORD_BITS) for k in range(len(value) // DWORD_BITS)]


def _place(m: Module, name: str, lane: int, pointer: Signal, lanes: int):
    """For what begins at ``pointer``: which dword of it is in a lane, and in which row."""
    bits = (lanes - 1).bit_length()
    which, row = Signal(max(1, bits), name=f"{name}_which"), Signal(len(pointer) - bits, name=f"{name}_row")
    m.d.comb += [which.eq(lane - pointer[:bits] if bits else 0), row.eq(pointer[bits:] + (lane < pointer[:bits] if bits else 0))]
    return which, row


def _rotated(m: Module, name: str, dwords: list, amount) -> list:
    """``dwords``, as many as a power of two, each in the place ``amount`` lower, around the end."""
    bits = (len(dwords) - 1).bit_length()
    distance = Signal(max(1, bits), name=f"{name}_distance")
    m.d.comb += distance.eq(amount)
    for level in range(bits):
        turned = []
        for place in range(len(dwords)):
            value = Signal(DWORD_BITS, name=f"{name}_level{level}_{place}")
            with m.If(distance[level]):
                m.d.comb += value.eq(dwords[(place + (1 << level)) % len(dwords)])
            with m.Else():
                m.d.comb += value.eq(dwords[place])
            turned.append(value)
        dwords = turned
    return dwords
