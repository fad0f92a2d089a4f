"""Commands of all slots as they came, for whoever has to look at them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.storage.nvme.entries import SUBMISSION_BYTES

__all__ = ["COMMAND_DWORDS", "CommandMemory"]

COMMAND_DWORDS = SUBMISSION_BYTES // 4


class CommandMemory(wiring.Component):
    """An entry of each slot. It is written by parts, and two read dwords of it; the first one goes first.

    Members
    -------
    w_valid, w_slot, w_beat, w_data : In(1), In, In, In(host_bits)
        A part of an entry.
    a_valid, a_slot, a_dword, b_valid, b_ready, b_slot, b_dword : In(1), In, In, In(1), Out(1), In, In
        Reads.
    data : Out(32)
        What was read, in the next cycle.
    """

    def __init__(self, *, slots: int, host_bits: int):
        self.slots, self.host_bits = slots, host_bits
        self.beats = max(1, 8 * SUBMISSION_BYTES // host_bits)
        slot, dword = range(slots), range(COMMAND_DWORDS)
        super().__init__({
            "w_valid": In(1), "w_slot": In(slot), "w_beat": In(range(self.beats)), "w_data": In(host_bits),
            "a_valid": In(1), "a_slot": In(slot), "a_dword": In(dword),
            "b_valid": In(1), "b_ready": Out(1), "b_slot": In(slot), "b_dword": In(dword), "data": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        lane_bits = (self.host_bits // 32 - 1).bit_length()
        beat_bits = (self.beats - 1).bit_length()
        store = emit.instance(m, "store", Memory(width=self.host_bits, depth=self.slots * self.beats))
        slot, dword = Signal.like(self.a_slot), Signal.like(self.a_dword)
        lane = Signal(max(1, lane_bits), reset_less=True)
        m.d.comb += [
            self.b_ready.eq(~self.a_valid), slot.eq(Mux(self.a_valid, self.a_slot, self.b_slot)),
            dword.eq(Mux(self.a_valid, self.a_dword, self.b_dword)),
            store.w_en.eq(self.w_valid), store.w_addr.eq(Cat(self.w_beat[:beat_bits], self.w_slot)), store.w_data.eq(self.w_data),
            store.r_en.eq(self.a_valid | self.b_valid), store.r_addr.eq(Cat(dword[lane_bits:], slot)),
            self.data.eq(store.r_data.word_select(lane, 32)),
        ]
        m.d.sync += lane.eq(dword[:lane_bits] if lane_bits else 0)
        return m
