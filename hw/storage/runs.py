"""Runs of dwords on a bus: reads that fill a ``DwordFifo``, and writes that empty one."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi import OKAY, PAGE_BYTES
from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import read_bus, write_bus
from tenon.hw.storage.dword_fifo import DWORD_BITS

__all__ = ["RUN_DWORDS", "RunCutter", "RunReader", "RunWriter"]

_DWORD_BYTES = DWORD_BITS // 8

#: Of a run at most.
RUN_DWORDS = PAGE_BYTES // _DWORD_BYTES

_BURSTS = 32  # of a part in flight
_RUNS = 4  # that wait for their data
_RESULTS = 8  # of runs, that nobody has looked at


def _run(address_bits: int) -> dict[str, wiring.Member]:
    return {"i_valid": In(1), "i_ready": Out(1), "i_addr": In(address_bits), "i_dwords": In(range(RUN_DWORDS + 1))}


class RunCutter(wiring.Component):
    """Cuts runs into bursts that cross no multiple of ``burst_bytes``, one in a cycle.

    Members
    -------
    i_valid, i_ready, i_addr, i_dwords : In(1), Out(1), In, In
        A run: where it begins, at a multiple of four bytes, and how many dwords it has, at least one.
    o_valid, o_ready, o_addr, o_len, o_first, o_dwords, o_last : Out(1), In(1), Out, Out(8), Out, Out, Out(1)
        A burst: the word where it begins, its beats less one, the lane of its first dword, its dwords; it is the run's last.
    """

    def __init__(self, *, address_bits: int, bits: int, burst_bytes: int):
        self.address_bits, self.bits, self.burst_bytes = address_bits, bits, burst_bytes
        self.lanes, self.burst_dwords = bits // DWORD_BITS, burst_bytes // _DWORD_BYTES
        if not self.lanes <= self.burst_dwords <= min(256 * self.lanes, RUN_DWORDS):
            raise ValueError(f"burst_bytes must be a word to 256 words of {bits} bits, and {PAGE_BYTES} at most, not {burst_bytes}")
        super().__init__({
            **_run(address_bits),
            "o_valid": Out(1), "o_ready": In(1), "o_addr": Out(address_bits), "o_len": Out(8), "o_first": Out(range(max(2, self.lanes))),
            "o_dwords": Out(range(self.burst_dwords + 1)), "o_last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lane_bits, burst_bits = (self.lanes - 1).bit_length(), (self.burst_dwords - 1).bit_length()
        dword = Signal(self.address_bits - 2, reset_less=True)  # where what is left begins
        left = Signal.like(self.i_dwords, reset_less=True)
        room, beyond = Signal.like(self.o_dwords), Signal(range(self.burst_dwords + self.lanes))
        m.d.comb += [
            room.eq(self.burst_dwords - dword[:burst_bits]), self.o_last.eq(left <= room), self.o_dwords.eq(Mux(self.o_last, left, room)),
            self.o_first.eq(dword[:lane_bits]), self.o_addr.eq(Cat(Const(0, 2 + lane_bits), dword[lane_bits:])),
            beyond.eq(self.o_first + self.o_dwords - 1), self.o_len.eq(beyond >> lane_bits),
            self.i_ready.eq(~self.o_valid | (self.o_ready & self.o_last)),
        ]
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [self.o_valid.eq(1), dword.eq(self.i_addr[2:]), left.eq(self.i_dwords)]
        with m.Elif(self.o_ready):
            m.d.sync += [self.o_valid.eq(~self.o_last), dword.eq(dword + self.o_dwords), left.eq(left - self.o_dwords)]
        return m


class _Beats:
    """Which dwords of a burst its beats have, from what was kept of it: (first lane, dwords)."""

    def __init__(self, m: Module, kept, lanes: int, beat):
        first_lane, dwords = kept
        begun, left = Signal(), Signal.like(dwords, reset_less=True)
        self.first, self.count, here = Signal.like(first_lane), Signal(range(lanes + 1)), Signal.like(dwords)
        self.last = Signal()
        m.d.comb += [self.first.eq(Mux(begun, 0, first_lane)), here.eq(Mux(begun, left, dwords)),
                     self.last.eq(here <= lanes - self.first), self.count.eq(Mux(self.last, here, lanes - self.first))]
        with m.If(beat):
            m.d.sync += [begun.eq(~self.last), left.eq(here - self.count)]


class RunReader(wiring.Component):
    """Reads runs, in order, into a buffer. A burst is asked for when there is room for all of it.

    Parameters
    ----------
    capacity : int
        Dwords of the buffer.

    Members
    -------
    i_valid, i_ready, i_addr, i_dwords : In(1), Out(1), In, In
        A run.
    ar_*, r_* :
        The bus.
    p_count, p_first, p : Out, Out, Out(bits)
        So many dwords go into the buffer, from this lane of the word upward.
    freed : In
        So many have left it.
    d_valid, d_ready, d_error : Out(1), In(1), Out(1)
        A run has been read, and whether some of it could not be.
    """

    def __init__(self, *, address_bits: int, bits: int, burst_bytes: int, capacity: int):
        self.address_bits, self.bits, self.burst_bytes, self.capacity = address_bits, bits, burst_bytes, capacity
        self.lanes = bits // DWORD_BITS
        if capacity < burst_bytes // _DWORD_BYTES:
            raise ValueError(f"capacity must be a burst at least, {burst_bytes // _DWORD_BYTES} dwords, not {capacity}")
        super().__init__({
            **_run(address_bits), **read_bus(address_bits, bits),
            "p_count": Out(range(self.lanes + 1)), "p_first": Out(range(max(2, self.lanes))), "p": Out(bits),
            "freed": In(range(capacity + 1)), "d_valid": Out(1), "d_ready": In(1), "d_error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.cutter = cutter = RunCutter(address_bits=self.address_bits, bits=self.bits, burst_bytes=self.burst_bytes)
        first, dwords, last = Signal.like(cutter.o_first), Signal.like(cutter.o_dwords), Signal()
        m.submodules.asked = asked = Fifo(width=len(Cat(first, dwords, last)), depth=_BURSTS)
        m.submodules.results = results = Fifo(width=1, depth=_RESULTS)
        room = Signal(range(self.capacity + 1), init=self.capacity)
        ask = Signal()
        m.d.comb += [
            cutter.i_valid.eq(self.i_valid), self.i_ready.eq(cutter.i_ready),
            cutter.i_addr.eq(self.i_addr), cutter.i_dwords.eq(self.i_dwords),
            ask.eq(cutter.o_valid & (~self.ar_valid | self.ar_ready) & (room >= cutter.o_dwords) & asked.i_ready),
            cutter.o_ready.eq(ask), asked.i_valid.eq(ask), asked.i.eq(Cat(cutter.o_first, cutter.o_dwords, cutter.o_last)),
            Cat(first, dwords, last).eq(asked.o),
        ]
        m.d.sync += room.eq(room + self.freed - Mux(ask, cutter.o_dwords, 0))
        with m.If(ask):
            m.d.sync += [self.ar_valid.eq(1), self.ar_addr.eq(cutter.o_addr), self.ar_len.eq(cutter.o_len)]
        with m.Elif(self.ar_ready):
            m.d.sync += self.ar_valid.eq(0)

        beat, bad, wrong = Signal(), Signal(), Signal()
        beats = _Beats(m, (first, dwords), self.lanes, beat)
        m.d.comb += [
            self.r_ready.eq(asked.o_valid & results.i_ready), beat.eq(self.r_valid & self.r_ready), self.p.eq(self.r_data),
            self.p_first.eq(beats.first), self.p_count.eq(Mux(beat, beats.count, 0)), asked.o_ready.eq(beat & beats.last),
            wrong.eq(bad | (self.r_resp != OKAY)), results.i_valid.eq(beat & beats.last & last), results.i.eq(wrong),
            self.d_valid.eq(results.o_valid), results.o_ready.eq(self.d_ready), self.d_error.eq(results.o),
        ]
        with m.If(beat):
            m.d.sync += bad.eq(wrong & ~(beats.last & last))
        return m


class RunWriter(wiring.Component):
    """Writes runs, in order, out of a buffer. A burst begins when all of it is there, so that it holds nobody up; runs may
    be given before, so that whoever fills the buffer goes on.

    Members
    -------
    i_valid, i_ready, i_addr, i_dwords : In(1), Out(1), In, In
        A run.
    stored : In
        Dwords in the buffer.
    t_enable, t_count, t_first, t : Out(1), Out, Out, In(bits)
        So many dwords are taken from it, and are in ``t`` from the next cycle on, from this lane upward.
    aw_*, w_*, b_* :
        The bus.
    d_valid, d_ready, d_error : Out(1), In(1), Out(1)
        A run has been written, and whether some of it could not be.
    """

    def __init__(self, *, address_bits: int, bits: int, burst_bytes: int, capacity: int):
        self.address_bits, self.bits, self.burst_bytes, self.capacity = address_bits, bits, burst_bytes, capacity
        self.lanes = bits // DWORD_BITS
        if capacity < burst_bytes // _DWORD_BYTES:
            raise ValueError(f"capacity must be a burst at least, {burst_bytes // _DWORD_BYTES} dwords, not {capacity}")
        super().__init__({
            **_run(address_bits), **write_bus(address_bits, bits), "stored": In(range(capacity + 1)),
            "t_enable": Out(1), "t_count": Out(range(self.lanes + 1)), "t_first": Out(range(max(2, self.lanes))), "t": In(bits),
            "d_valid": Out(1), "d_ready": In(1), "d_error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.cutter = cutter = RunCutter(address_bits=self.address_bits, bits=self.bits, burst_bytes=self.burst_bytes)
        m.submodules.runs = runs = Fifo(width=len(Cat(self.i_addr, self.i_dwords)), depth=_RUNS)
        first, dwords = Signal.like(cutter.o_first), Signal.like(cutter.o_dwords)
        m.submodules.asked = asked = Fifo(width=len(Cat(first, dwords)), depth=_BURSTS)  # whose data are to come
        m.submodules.open = answers = Fifo(width=1, depth=_BURSTS)  # what is to be answered: whether it ends its run
        m.submodules.results = results = Fifo(width=1, depth=_RESULTS)
        promised = Signal(range(self.capacity + 1))  # dwords of the buffer that bursts have been asked for
        ask = Signal()
        m.d.comb += [
            runs.i_valid.eq(self.i_valid), self.i_ready.eq(runs.i_ready), runs.i.eq(Cat(self.i_addr, self.i_dwords)),
            cutter.i_valid.eq(runs.o_valid), runs.o_ready.eq(cutter.i_ready), Cat(cutter.i_addr, cutter.i_dwords).eq(runs.o),
            ask.eq(cutter.o_valid & (~self.aw_valid | self.aw_ready) & (self.stored >= promised + cutter.o_dwords)
                   & asked.i_ready & answers.i_ready),
            cutter.o_ready.eq(ask), asked.i_valid.eq(ask), asked.i.eq(Cat(cutter.o_first, cutter.o_dwords)),
            answers.i_valid.eq(ask), answers.i.eq(cutter.o_last), Cat(first, dwords).eq(asked.o),
        ]
        with m.If(ask):
            m.d.sync += [self.aw_valid.eq(1), self.aw_addr.eq(cutter.o_addr), self.aw_len.eq(cutter.o_len)]
        with m.Elif(self.aw_ready):
            m.d.sync += self.aw_valid.eq(0)

        beats = _Beats(m, (first, dwords), self.lanes, self.t_enable)
        lanes = Signal(self.lanes, reset_less=True)
        m.d.comb += [
            self.t_enable.eq(asked.o_valid & (~self.w_valid | self.w_ready)), self.t_first.eq(beats.first), self.t_count.eq(beats.count),
            asked.o_ready.eq(self.t_enable & beats.last), self.w_data.eq(self.t),
            self.w_strb.eq(Cat(lane.replicate(_DWORD_BYTES) for lane in lanes)),
        ]
        m.d.sync += promised.eq(promised + Mux(ask, cutter.o_dwords, 0) - Mux(self.t_enable, beats.count, 0))
        with m.If(self.t_enable):
            m.d.sync += [self.w_valid.eq(1), self.w_last.eq(beats.last), lanes.eq(((1 << beats.count) - 1) << beats.first)]
        with m.Elif(self.w_ready):
            m.d.sync += self.w_valid.eq(0)

        answer, bad, wrong = Signal(), Signal(), Signal()
        m.d.comb += [
            self.b_ready.eq(answers.o_valid & results.i_ready), answer.eq(self.b_valid & self.b_ready), answers.o_ready.eq(answer),
            wrong.eq(bad | (self.b_resp != OKAY)), results.i_valid.eq(answer & answers.o), results.i.eq(wrong),
            self.d_valid.eq(results.o_valid), results.o_ready.eq(self.d_ready), self.d_error.eq(results.o),
        ]
        with m.If(answer):
            m.d.sync += bad.eq(wrong & ~answers.o)
        return m
