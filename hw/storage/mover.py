"""Moves a command's data between the host's memory and the device's."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import attach, read_bus, write_bus
from tenon.hw.storage.dword_fifo import DWORD_BITS, DwordFifo
from tenon.hw.storage.list_reader import ListReader
from tenon.hw.storage.params import TRANSFER_PAGES, StorageParams
from tenon.hw.storage.prp import HOST_ADDRESS_BITS, PrpFault, PrpWalker
from tenon.hw.storage.runs import RunReader, RunWriter

__all__ = ["Direction", "Mover"]

#: Of a burst in the host's memory at most.
HOST_BURST_BYTES = 512

_LEAST_ROWS = 128  # of the buffer: what the wider bus moves while the other side's answer is on its way
_PIECES = 16  # pieces of commands in flight
_COMMANDS = 4


class Direction(enum.IntEnum):
    """Where a command's data go."""

    TO_HOST = 0
    FROM_HOST = 1


class Mover(wiring.Component):
    """Moves data in one direction: for each piece of the host's memory that a command's entries describe, a read and a write of as many
    dwords. Commands end in the order in which they came, when the last of their data has arrived.

    Members
    -------
    i_valid, i_ready, i_tag, i_prp1, i_prp2, i_dwords, i_addr : In(1), Out(1), In, In(64), In(64), In, In
        A command's name, its entries, how many dwords it moves (at least one), and where they are in the device's memory.
    l_* :
        Reads of lists in the host's memory.
    ar_*, r_*, aw_*, w_*, b_* :
        Where data come from, and where they go: one is the host's memory, the other the device's.
    o_valid, o_ready, o_tag, o_fault : Out(1), In(1), Out, Out
        A command is done, and why it was not. Before a fault, data may have been moved.
    busy : Out(1)
        Some command is here.
    """

    def __init__(self, params: StorageParams, direction: Direction, *, tag_bits: int):
        self.params, self.direction, self.tag_bits = params, direction, tag_bits
        self.role = f"mover_{direction.name.lower()}"
        self.host = {"address_bits": HOST_ADDRESS_BITS, "bits": params.host_bits}
        self.device = {"address_bits": params.address_bits, "bits": params.memory_bits}
        self.source, self.sink = (self.device, self.host) if direction is Direction.TO_HOST else (self.host, self.device)
        self.lists = read_bus(**self.host)
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_tag": In(tag_bits), "i_prp1": In(HOST_ADDRESS_BITS), "i_prp2": In(HOST_ADDRESS_BITS),
            "i_dwords": In(range(TRANSFER_PAGES * 1024 + 1)), "i_addr": In(params.address_bits),
            **{f"l_{name}": member for name, member in self.lists.items()}, **read_bus(**self.source), **write_bus(**self.sink),
            "o_valid": Out(1), "o_ready": In(1), "o_tag": Out(tag_bits), "o_fault": Out(PrpFault), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lanes = max(self.params.host_bits, self.params.memory_bits) // DWORD_BITS
        longest = max(HOST_BURST_BYTES, self.params.burst_bytes) * 8 // DWORD_BITS
        rows = max(_LEAST_ROWS, 2 * longest // lanes)
        bursts = {True: HOST_BURST_BYTES, False: self.params.burst_bytes}
        walker = m.submodules.walker = PrpWalker(max_pages=TRANSFER_PAGES)
        lists = m.submodules.lists = ListReader(host_bits=self.params.host_bits)
        reader = m.submodules.reader = RunReader(**self.source, burst_bytes=bursts[self.source is self.host], capacity=lanes * rows)
        writer = m.submodules.writer = RunWriter(**self.sink, burst_bytes=bursts[self.sink is self.host], capacity=lanes * rows)
        i_lanes, o_lanes = (memory["bits"] // DWORD_BITS for memory in (self.source, self.sink))
        buffer = m.submodules.buffer = DwordFifo(i_lanes=i_lanes, o_lanes=o_lanes, rows=rows)
        tags = m.submodules.tags = Fifo(width=self.tag_bits, depth=_COMMANDS)
        places = m.submodules.places = Fifo(width=self.params.address_bits - 2, depth=_COMMANDS)
        # Of each piece: whether it ends its command, whether it moves data, why it does not.
        last, moves, fault = Signal(), Signal(), Signal(2)
        pieces = m.submodules.pieces = Fifo(width=len(Cat(last, moves, fault)), depth=_PIECES)
        attach(m, self.lists, (lists, ""), (self, "l_"))
        attach(m, read_bus(**self.source), (reader, ""), (self, ""))
        attach(m, write_bus(**self.sink), (writer, ""), (self, ""))

        # Commands: their entries to the walker, their names and places beside it.
        begin = Signal()
        m.d.comb += [
            self.i_ready.eq(walker.i_ready & tags.i_ready & places.i_ready), begin.eq(self.i_valid & self.i_ready),
            walker.i_valid.eq(begin), walker.i_prp1.eq(self.i_prp1), walker.i_prp2.eq(self.i_prp2), walker.i_dwords.eq(self.i_dwords),
            tags.i_valid.eq(begin), tags.i.eq(self.i_tag), places.i_valid.eq(begin), places.i.eq(self.i_addr[2:]),
            lists.l_valid.eq(walker.l_valid), walker.l_ready.eq(lists.l_ready), lists.l_addr.eq(walker.l_addr),
            lists.l_count.eq(walker.l_count), walker.d_valid.eq(lists.d_valid), lists.d_ready.eq(walker.d_ready), walker.d.eq(lists.d),
            walker.d_error.eq(lists.d_error),
        ]

        # Pieces: a run on either side.
        real, ready, take, moved = Signal(), Signal(), Signal(), Signal.like(walker.i_dwords)
        device = Signal(self.params.address_bits)
        m.d.comb += [
            real.eq(walker.o_dwords != 0), ready.eq(reader.i_ready & writer.i_ready),
            take.eq(walker.o_valid & pieces.i_ready & places.o_valid & (ready | ~real)), walker.o_ready.eq(take),
            device.eq((places.o + moved) << 2), places.o_ready.eq(take & walker.o_last),
            pieces.i_valid.eq(take), pieces.i.eq(Cat(walker.o_last, real, walker.o_fault)), Cat(last, moves, fault).eq(pieces.o),
        ]
        for part, memory in ((reader, self.source), (writer, self.sink)):
            m.d.comb += [part.i_valid.eq(take & real), part.i_dwords.eq(walker.o_dwords),
                         part.i_addr.eq(walker.o_addr if memory is self.host else device)]
        with m.If(take):
            m.d.sync += moved.eq(moved + walker.o_dwords)
            with m.If(walker.o_last):
                m.d.sync += moved.eq(0)

        m.d.comb += [
            buffer.i_count.eq(reader.p_count), buffer.i_first.eq(reader.p_first), buffer.i.eq(reader.p),
            writer.stored.eq(buffer.stored), buffer.o_enable.eq(writer.t_enable), buffer.o_count.eq(writer.t_count),
            buffer.o_first.eq(writer.t_first), writer.t.eq(buffer.o),
        ]
        with m.If(writer.t_enable):
            m.d.comb += reader.freed.eq(writer.t_count)

        # A piece is over when it was read and written, a command when its last one is.
        over, bad, wrong = Signal(), Signal(), Signal()
        m.d.comb += [
            over.eq(pieces.o_valid & (~moves | (reader.d_valid & writer.d_valid)) & (~last | ~self.o_valid | self.o_ready)),
            pieces.o_ready.eq(over), reader.d_ready.eq(over & moves), writer.d_ready.eq(over & moves),
            wrong.eq(bad | (moves & (reader.d_error | writer.d_error))), tags.o_ready.eq(over & last),
            self.busy.eq(tags.busy | self.o_valid),
        ]
        with m.If(self.o_ready):
            m.d.sync += self.o_valid.eq(0)
        with m.If(over):
            m.d.sync += bad.eq(wrong & ~last)
            with m.If(last):
                m.d.sync += [self.o_valid.eq(1), self.o_tag.eq(tags.o), self.o_fault.eq(fault)]
                with m.If(wrong):
                    m.d.sync += self.o_fault.eq(PrpFault.BUS)
        return m

