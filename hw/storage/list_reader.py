"""Reads lists of physical region pages from the host's memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi import OKAY
from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import read_bus
from tenon.hw.storage.nvme.entries import PRP_ENTRY_BYTES
from tenon.hw.storage.prp import HOST_ADDRESS_BITS, LIST_BURST, MOST_ENTRIES

__all__ = ["ListReader"]

_ENTRY_BITS = 8 * PRP_ENTRY_BYTES
_READS = 4  # in flight


class ListReader(wiring.Component):
    """Makes bursts of what a ``PrpWalker`` asks for, and entries of what comes.

    Entries have room here, all that the walker ever asks for: they share the bus with the data of commands before, and a walker takes no
    entry while those data are still to come.

    Members
    -------
    l_valid, l_ready, l_addr, l_count : In(1), Out(1), In(64), In
        A read of ``l_count`` + 1 entries, which cross no multiple of ``LIST_BURST`` of them.
    d_valid, d_ready, d, d_error : Out(1), In(1), Out(64), Out(1)
        Entries, in order.
    ar_*, r_* :
        The host's memory.
    """

    def __init__(self, *, host_bits: int):
        self.host_bits = host_bits
        super().__init__({
            "l_valid": In(1), "l_ready": Out(1), "l_addr": In(HOST_ADDRESS_BITS), "l_count": In(range(LIST_BURST)),
            "d_valid": Out(1), "d_ready": In(1), "d": Out(_ENTRY_BITS), "d_error": Out(1), **read_bus(HOST_ADDRESS_BITS, host_bits),
        })

    def elaborate(self, platform):
        m = Module()
        word_bits = (self.host_bits // 8 - 1).bit_length()  # of an address within a bus word
        entry_bits = (PRP_ENTRY_BYTES - 1).bit_length()
        index_bits = (LIST_BURST - 1).bit_length()
        # Of a read: where it begins within its burst's place, and how many entries it has.
        begin, count = Signal(index_bits), Signal(index_bits)
        m.submodules.asked = asked = Fifo(width=2 * index_bits, depth=_READS)
        last_byte = Signal(entry_bits + index_bits + 1)
        m.d.comb += [
            self.ar_valid.eq(self.l_valid & asked.i_ready), self.l_ready.eq(self.ar_ready & asked.i_ready),
            asked.i_valid.eq(self.l_valid & self.ar_ready), asked.i.eq(Cat(self.l_addr[entry_bits:entry_bits + index_bits], self.l_count)),
            Cat(begin, count).eq(asked.o), self.ar_addr.eq(Cat(Const(0, word_bits), self.l_addr[word_bits:])),
            last_byte.eq(self.l_addr[:word_bits] + (self.l_count << entry_bits) + PRP_ENTRY_BYTES - 1),
            self.ar_len.eq(last_byte >> word_bits),
        ]

        entries = m.submodules.entries = Fifo(width=_ENTRY_BITS + 1, depth=MOST_ENTRIES)
        m.d.comb += [self.d_valid.eq(entries.o_valid), entries.o_ready.eq(self.d_ready), Cat(self.d, self.d_error).eq(entries.o)]
        done = Signal(index_bits)  # entries of this read that came
        comes, last, error = Signal(), Signal(), Signal()
        m.d.comb += [entries.i_valid.eq(comes), last.eq(done == count), asked.o_ready.eq(comes & last), error.eq(self.r_resp != OKAY)]
        with m.If(comes):
            m.d.sync += done.eq(Mux(last, 0, done + 1))
        if self.host_bits < _ENTRY_BITS:  # an entry takes two beats
            high, low, bad = Signal(), Signal(self.host_bits, reset_less=True), Signal()
            m.d.comb += [
                self.r_ready.eq(asked.o_valid), comes.eq(self.r_valid & asked.o_valid & high),
                entries.i.eq(Cat(low, self.r_data, bad | error)),
            ]
            with m.If(self.r_valid & self.r_ready):
                m.d.sync += [high.eq(~high), low.eq(self.r_data), bad.eq(error)]
            return m
        place_bits = word_bits - entry_bits
        place = Signal(max(1, place_bits))  # of an entry within its beat
        m.d.comb += [
            place.eq((begin + done)[:place_bits] if place_bits else 0), comes.eq(self.r_valid & asked.o_valid),
            entries.i.eq(Cat(self.r_data.word_select(place, _ENTRY_BITS), error)),
            self.r_ready.eq(asked.o_valid & (last | (place == (1 << place_bits) - 1))),
        ]
        return m
