"""The map from blocks to where they are: all accesses to it pass here, one after the other."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi import OKAY
from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import read_bus, write_bus

__all__ = ["ENTRY_BITS", "GONE", "NOWHERE", "MapOp", "MapUnit"]

ENTRY_BITS = 32
NOWHERE = 0  # an entry: the block was not written, and reads as zeros; others are the unit where it is, and one
GONE = (1 << ENTRY_BITS) - 1  # it is lost

_ENTRY_BYTES = ENTRY_BITS // 8
_LOOKS = 8  # under way


class MapOp(enum.IntEnum):
    """What firmware does with an entry."""

    LOOK = 0
    STORE = 1
    SWAP = 2  # stores if the entry is what is expected


class MapUnit(wiring.Component):
    """Looks entries up, stores and swaps them. Stores come one after the other, and nothing between a swap's look and its store; what is
    looked up meanwhile is as it was before or after. An entry that memory does not give is ``GONE``.

    Parameters
    ----------
    base : int
        Where the map lies in the device's memory.
    blocks : int
        Entries that it has.

    Members
    -------
    a_valid, a_ready, a_block, a_done, a_take, a_entry : In(1), Out(1), In, Out(1), In(1), Out(32)
        Hardware looks entries up, several at a time; what they are, in the same order.
    b_valid, b_ready, b_op, b_block, b_expected, b_value, b_done, b_entry : In(1), Out(1), In, In, In(32), In(32), Out(1), Out(32)
        Firmware, one at a time; in a pulse, what the entry was before. When that comes, what was stored is in memory.
    m_ar_*, m_r_*, m_aw_*, m_w_*, m_b_* :
        The device's memory.
    busy : Out(1)
    """

    def __init__(self, *, base: int, blocks: int, address_bits: int, bits: int):
        self.base, self.blocks, self.address_bits, self.bits = base, blocks, address_bits, bits
        self.memory = {"address_bits": address_bits, "bits": bits}
        block = range(blocks)
        buses = {f"m_{name}": member for name, member in {**read_bus(**self.memory), **write_bus(**self.memory)}.items()}
        super().__init__({
            "a_valid": In(1), "a_ready": Out(1), "a_block": In(block), "a_done": Out(1), "a_take": In(1), "a_entry": Out(ENTRY_BITS),
            "b_valid": In(1), "b_ready": Out(1), "b_op": In(MapOp), "b_block": In(block), "b_expected": In(ENTRY_BITS),
            "b_value": In(ENTRY_BITS), "b_done": Out(1), "b_entry": Out(ENTRY_BITS), **buses, "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lanes = self.bits // ENTRY_BITS
        lane_bits = (lanes - 1).bit_length()

        def place(block, name: str):
            """The word that has an entry, and which lane of it."""
            at, lane = Signal(self.address_bits, name=f"{name}_place"), Signal(max(1, lane_bits), name=f"{name}_lane")
            m.d.comb += [at.eq(self.base + block * _ENTRY_BYTES), lane.eq(at[2:2 + lane_bits] if lane_bits else 0)]
            return Cat(Const(0, 2 + lane_bits), at[2 + lane_bits:]), lane

        op, block, expected, value = (Signal.like(s, reset_less=True) for s in (self.b_op, self.b_block, self.b_expected, self.b_value))
        (a_word, a_lane), (b_word, b_lane) = place(self.a_block, "a"), place(block, "b")

        # Reads of both: firmware's first, which are rare. A request that is on offer stays.
        asks, waits, theirs = Signal(), Signal(), Signal()  # firmware's; a request was offered; it is hardware's
        lane, of_a = Signal(max(1, lane_bits)), Signal()
        asked = m.submodules.asked = Fifo(width=len(Cat(a_lane, of_a)), depth=_LOOKS)
        hardware = Signal()
        m.d.comb += [
            hardware.eq(Mux(waits, theirs, ~asks)), self.m_ar_valid.eq(asked.i_ready & Mux(hardware, self.a_valid, asks)),
            self.m_ar_addr.eq(Mux(hardware, a_word, b_word)), self.a_ready.eq(hardware & asked.i_ready & self.m_ar_ready),
            asked.i_valid.eq(self.m_ar_valid & self.m_ar_ready), asked.i.eq(Cat(Mux(hardware, a_lane, b_lane), hardware)),
            Cat(lane, of_a).eq(asked.o),
        ]
        m.d.sync += [waits.eq(self.m_ar_valid & ~self.m_ar_ready), theirs.eq(hardware)]

        here, entry, takes = Signal(), Signal(ENTRY_BITS), Signal()
        m.d.comb += [
            here.eq(self.m_r_valid & asked.o_valid), entry.eq(Mux(self.m_r_resp == OKAY, self.m_r_data.word_select(lane, ENTRY_BITS),
                                                                  GONE)),
            self.a_entry.eq(entry), self.a_done.eq(here & of_a), takes.eq(Mux(of_a, self.a_take, 1)),
            self.m_r_ready.eq(asked.o_valid & takes), asked.o_ready.eq(here & takes),
        ]

        # Firmware's.
        sent, written = Signal(), Signal()  # address and data of a store have been taken
        m.d.comb += [
            self.m_aw_addr.eq(b_word), self.m_w_data.eq(value.replicate(lanes)), self.m_w_last.eq(1),
            self.m_w_strb.eq(Cat((b_lane == k).replicate(_ENTRY_BYTES) for k in range(lanes))),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | asked.busy)
            with m.State("IDLE"):
                m.d.comb += self.b_ready.eq(1)
                m.d.sync += [op.eq(self.b_op), block.eq(self.b_block), expected.eq(self.b_expected), value.eq(self.b_value),
                             sent.eq(0), written.eq(0)]
                with m.If(self.b_valid):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += asks.eq(1)
                with m.If(asked.i_valid & ~hardware):
                    m.next = "FOUND"
            with m.State("FOUND"):
                with m.If(here & ~of_a):
                    m.d.sync += self.b_entry.eq(entry)
                    m.next = "DECIDE"
            with m.State("DECIDE"):
                m.next = "DONE"
                with m.If((op == MapOp.STORE) | ((op == MapOp.SWAP) & (self.b_entry == expected))):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [self.m_aw_valid.eq(~sent), self.m_w_valid.eq(~written), self.m_b_ready.eq(1)]
                with m.If(self.m_aw_ready):
                    m.d.sync += sent.eq(1)
                with m.If(self.m_w_ready):
                    m.d.sync += written.eq(1)
                with m.If(self.m_b_valid):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.b_done.eq(1)
                m.next = "IDLE"
        return m
