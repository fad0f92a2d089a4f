"""Copies within the device's memory, and fills it with zeros."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import attach, read_bus, write_bus
from tenon.hw.storage.dword_fifo import DWORD_BITS, DwordFifo
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.prp import PrpFault
from tenon.hw.storage.runs import RUN_DWORDS, RunReader, RunWriter

__all__ = ["Copier"]

_LEAST_ROWS = 64
_RUNS = 8  # in flight


class Copier(wiring.Component):
    """One at a time: dwords from one place to another that does not overlap it, or zeros.

    Members
    -------
    i_valid, i_ready, i_tag, i_zero, i_source, i_addr, i_dwords : In(1), Out(1), In, In(1), In, In, In(32)
        What is to be done: its name, whether zeros are written, where data come from otherwise, where they go, how many dwords.
    ar_*, r_*, aw_*, w_*, b_* :
        The device's memory.
    o_valid, o_ready, o_tag, o_fault : Out(1), In(1), Out, Out
        It is done.
    busy : Out(1)
    """

    def __init__(self, params: StorageParams, *, tag_bits: int):
        self.params, self.tag_bits = params, tag_bits
        self.memory = {"address_bits": params.address_bits, "bits": params.memory_bits}
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_tag": In(tag_bits), "i_zero": In(1), "i_source": In(params.address_bits),
            "i_addr": In(params.address_bits), "i_dwords": In(32), **read_bus(**self.memory), **write_bus(**self.memory),
            "o_valid": Out(1), "o_ready": In(1), "o_tag": Out(tag_bits), "o_fault": Out(PrpFault), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lanes = self.params.memory_bits // DWORD_BITS
        rows = max(_LEAST_ROWS, 2 * self.params.burst_bytes * 8 // (DWORD_BITS * lanes))
        sizes = {"burst_bytes": self.params.burst_bytes, "capacity": lanes * rows}
        reader = m.submodules.reader = RunReader(**self.memory, **sizes)
        writer = m.submodules.writer = RunWriter(**self.memory, **sizes)
        buffer = m.submodules.buffer = DwordFifo(i_lanes=lanes, o_lanes=lanes, rows=rows)
        runs = m.submodules.runs = Fifo(width=1, depth=_RUNS)  # whether each is the last one
        attach(m, read_bus(**self.memory), (reader, ""), (self, ""))
        attach(m, write_bus(**self.memory), (writer, ""), (self, ""))

        source, target = (Signal(self.params.address_bits, name=name, reset_less=True) for name in ("source", "target"))
        left, zero = Signal(32), Signal()
        here, to_page, ready, take = Signal(range(RUN_DWORDS + 1)), Signal(range(RUN_DWORDS + 1)), Signal(), Signal()
        m.d.comb += [
            self.i_ready.eq(~self.busy), to_page.eq(RUN_DWORDS - target[2:12]), here.eq(Mux(left < to_page, left, to_page)),
            ready.eq(writer.i_ready & (zero | reader.i_ready) & runs.i_ready), take.eq((left != 0) & ready),
            reader.i_valid.eq(take & ~zero), reader.i_addr.eq(source), reader.i_dwords.eq(here),
            writer.i_valid.eq(take), writer.i_addr.eq(target), writer.i_dwords.eq(here),
            runs.i_valid.eq(take), runs.i.eq(left == here),
        ]
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [self.busy.eq(1), source.eq(self.i_source), target.eq(self.i_addr), left.eq(self.i_dwords), zero.eq(self.i_zero),
                         self.o_tag.eq(self.i_tag), self.o_fault.eq(PrpFault.NONE)]
        with m.Elif(take):
            m.d.sync += [source.eq(source + (here << 2)), target.eq(target + (here << 2)), left.eq(left - here)]

        m.d.comb += [
            buffer.i_count.eq(reader.p_count), buffer.i_first.eq(reader.p_first), buffer.i.eq(reader.p),
            buffer.o_enable.eq(writer.t_enable & ~zero), buffer.o_count.eq(writer.t_count), buffer.o_first.eq(writer.t_first),
            writer.stored.eq(Mux(zero, lanes * rows, buffer.stored)), writer.t.eq(Mux(zero, 0, buffer.o)),
        ]
        with m.If(buffer.o_enable):
            m.d.comb += reader.freed.eq(writer.t_count)

        over = Signal()
        m.d.comb += [
            over.eq(runs.o_valid & writer.d_valid & (zero | reader.d_valid)), runs.o_ready.eq(over), writer.d_ready.eq(over),
            reader.d_ready.eq(over & ~zero),
        ]
        with m.If(over):
            m.d.sync += self.o_valid.eq(runs.o)
            with m.If(writer.d_error | (~zero & reader.d_error)):
                m.d.sync += self.o_fault.eq(PrpFault.BUS)
        with m.If(self.o_valid & self.o_ready):
            m.d.sync += [self.o_valid.eq(0), self.busy.eq(0)]
        return m
