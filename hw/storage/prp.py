"""Physical region pages: where the data of a command are in the host's memory (NVM Express Base Specification 2.2, section 4.3)."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.storage.nvme.entries import PRP_ENTRY_BYTES

__all__ = ["HOST_ADDRESS_BITS", "LIST_BURST", "MOST_ENTRIES", "PAGE_BYTES", "PrpFault", "PrpWalker"]

HOST_ADDRESS_BITS = 64
PAGE_BYTES = 4096  # of the host's memory: CC.MPS is 0
LIST_BURST = 8  # entries of a list that are read at a time; a read begins at a multiple of as many, or ends there

MOST_ENTRIES = 2 * LIST_BURST  # that were asked for and not taken


class PrpFault(enum.IntEnum):
    """Why a walk ends before its end."""

    NONE = 0
    OFFSET = 1  # an entry has an offset that it may not have
    BUS = 2  # the list could not be read


class PrpWalker(wiring.Component):
    """From two entries of a command to pieces of memory, none of which crosses a page.

    The first entry may have an offset, in dwords. The second is a page if one more is all there is, and else points to a list, which may
    begin anywhere in a page; where it needs more room, the last entry of a page points to the next one. Nobody reads an entry that the
    command does not need. A walk that comes to an entry that is none ends with a piece of no dwords that says why.

    Parameters
    ----------
    max_pages : int
        Pages of the longest command, its offset not counted.
    page_bytes : int
        Others than ``PAGE_BYTES`` are for proofs.

    Members
    -------
    i_valid, i_ready, i_prp1, i_prp2, i_dwords : In, Out(1), In(64), In(64), In
        A command's entries, and how many dwords it moves: at least one.
    l_valid, l_ready, l_addr, l_count : Out(1), In(1), Out(64), Out
        A read of ``l_count`` + 1 entries of a list.
    d_valid, d_ready, d, d_error : In(1), Out(1), In(64), In(1)
        Entries that were read, in order.
    o_valid, o_ready, o_addr, o_dwords, o_last, o_fault : Out, In(1), Out(64), Out, Out(1), Out(2)
        A piece, and whether it is the last one; ``PrpFault``.
    """

    def __init__(self, *, max_pages: int, page_bytes: int = PAGE_BYTES):
        self.max_pages, self.page_bytes = max_pages, page_bytes
        self.page_dwords, self.page_entries = page_bytes // 4, page_bytes // PRP_ENTRY_BYTES
        dwords, address = range(max_pages * self.page_dwords + 1), HOST_ADDRESS_BITS
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_prp1": In(address), "i_prp2": In(address), "i_dwords": In(dwords),
            "l_valid": Out(1), "l_ready": In(1), "l_addr": Out(address), "l_count": Out(range(LIST_BURST)),
            "d_valid": In(1), "d_ready": Out(1), "d": In(8 * PRP_ENTRY_BYTES), "d_error": In(1),
            "o_valid": Out(1), "o_ready": In(1), "o_addr": Out(address), "o_dwords": Out(range(self.page_dwords + 1)), "o_last": Out(1),
            "o_fault": Out(PrpFault),
        })

    def elaborate(self, platform):
        m = Module()
        page_bits, dword_bits = (self.page_bytes - 1).bit_length(), (self.page_dwords - 1).bit_length()
        prp1, prp2 = Signal(HOST_ADDRESS_BITS, reset_less=True), Signal(HOST_ADDRESS_BITS, reset_less=True)
        left = Signal.like(self.i_dwords, reset_less=True)  # dwords that no piece has
        free = Signal()  # a piece can be offered
        m.d.comb += free.eq(~self.o_valid | self.o_ready)
        with m.If(self.o_ready):
            m.d.sync += self.o_valid.eq(0)

        def piece(address, dwords, last):
            return [self.o_valid.eq(1), self.o_addr.eq(address), self.o_dwords.eq(dwords), self.o_last.eq(last),
                    self.o_fault.eq(PrpFault.NONE), left.eq(left - dwords)]

        def fault(why):
            return [self.o_valid.eq(1), self.o_dwords.eq(0), self.o_last.eq(1), self.o_fault.eq(why)]

        # What is read of a list: entries of this page that are still to be asked for, and those on their way.
        index_bits = page_bits - 3
        page = Signal(HOST_ADDRESS_BITS - page_bits, reset_less=True)
        index = Signal(index_bits, reset_less=True)  # of the entry that comes next
        ask = Signal(index_bits, reset_less=True)  # of the entry that is asked for next
        wanted = Signal(range(self.page_entries + 1))
        coming = Signal(range(MOST_ENTRIES + 1))
        count = Signal(range(LIST_BURST + 1))
        asks, arrives = Signal(), Signal()
        to_burst = Signal(range(LIST_BURST + 1))
        m.d.comb += [
            to_burst.eq(LIST_BURST - ask[:(LIST_BURST - 1).bit_length()]), count.eq(Mux(wanted < to_burst, wanted, to_burst)),
            asks.eq((wanted != 0) & (coming <= LIST_BURST) & (~self.l_valid | self.l_ready)), arrives.eq(self.d_valid & self.d_ready),
        ]
        m.d.sync += coming.eq(coming + Mux(asks, count, 0) - arrives)
        with m.If(asks):
            m.d.sync += [self.l_valid.eq(1), self.l_addr.eq(Cat(Const(0, 3), ask, page)), self.l_count.eq(count - 1),
                         ask.eq(ask + count), wanted.eq(wanted - count)]
        with m.Elif(self.l_ready):
            m.d.sync += self.l_valid.eq(0)

        pages_left = Signal(range(self.max_pages + 2))
        m.d.comb += pages_left.eq((left + self.page_dwords - 1) >> dword_bits)

        def begin_list(address):
            """Reads a page of a list, from ``address`` on: as many entries as there are pages left, or as it has."""
            first = address[3:page_bits]
            here = Signal(range(self.page_entries + 1), name="here")
            m.d.comb += here.eq(self.page_entries - first)
            return [page.eq(address[page_bits:]), index.eq(first), ask.eq(first), wanted.eq(Mux(pages_left < here, pages_left, here))]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i_ready.eq(1)
                with m.If(self.i_valid):
                    m.d.sync += [prp1.eq(self.i_prp1), prp2.eq(self.i_prp2), left.eq(self.i_dwords)]
                    m.next = "FIRST"

            with m.State("FIRST"):
                room = Signal(range(self.page_dwords + 1))
                m.d.comb += room.eq(self.page_dwords - prp1[2:page_bits])
                with m.If(free):
                    with m.If(prp1[:2] != 0):
                        m.d.sync += fault(PrpFault.OFFSET)
                        m.next = "IDLE"
                    with m.Elif(left <= room):
                        m.d.sync += piece(prp1, left[:len(room)], 1)
                        m.next = "IDLE"
                    with m.Else():
                        m.d.sync += piece(prp1, room, 0)
                        m.next = "MORE"

            with m.State("MORE"):
                with m.If(free):
                    with m.If(left > self.page_dwords):
                        with m.If(prp2[:3] != 0):
                            m.d.sync += fault(PrpFault.OFFSET)
                            m.next = "IDLE"
                        with m.Else():
                            m.d.sync += begin_list(prp2)
                            m.next = "LIST"
                    with m.Else():
                        m.next = "IDLE"
                        with m.If(prp2[:page_bits] != 0):
                            m.d.sync += fault(PrpFault.OFFSET)
                        with m.Else():
                            m.d.sync += piece(prp2, left[:dword_bits + 1], 1)

            with m.State("LIST"):
                link = Signal()
                m.d.comb += [link.eq((index == self.page_entries - 1) & (pages_left > 1)), self.d_ready.eq(free)]
                with m.If(arrives):
                    m.d.sync += index.eq(index + 1)
                    with m.If(self.d_error):
                        m.d.sync += [*fault(PrpFault.BUS), wanted.eq(0)]
                        m.next = "DRAIN"
                    with m.Elif(self.d[:page_bits] != 0):
                        m.d.sync += [*fault(PrpFault.OFFSET), wanted.eq(0)]
                        m.next = "DRAIN"
                    with m.Elif(link):
                        m.d.sync += begin_list(self.d)
                    with m.Elif(left <= self.page_dwords):
                        m.d.sync += piece(self.d, left[:dword_bits + 1], 1)
                        m.next = "IDLE"
                    with m.Else():
                        m.d.sync += piece(self.d, self.page_dwords, 0)

            with m.State("DRAIN"):  # what was asked for comes, and is of no use
                m.d.comb += self.d_ready.eq(1)
                with m.If(coming == 0):
                    m.next = "IDLE"
        return m
