"""The AXI4 read channels, shared by instruction fetch and LOAD."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi
from tenon.hw.fetch import fetch_beats, fetch_bursts
from tenon.hw.fifo import Fifo
from tenon.hw.params import SystolicParams

__all__ = ["ReadPort"]


class ReadPort(wiring.Component):
    """Merges the requests of two users, fetch first, and hands the beats back in order.

    Fetch has few, short requests and takes every beat at once; so it does not slow LOAD down noticeably, nor can
    either block the other for ever. Together they may have ``max_outstanding`` bursts in flight and those that
    fetch requests ahead.

    Members
    -------
    fetch_ar_valid, fetch_ar_ready, fetch_ar_addr : In(1), Out(1), In(address_bits)
        A request for one instruction, or for as much of it as a burst may have.
    fetch_r_valid, fetch_r_data, fetch_r_error : Out(1), Out, Out(1)
        Its beats.
    load_ar_*, load_r_* :
        LOAD's channels.
    ar_*, r_* :
        The shared channels.
    ar_fetch : Out(1)
        The request is for instructions, and belongs to no segment.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        load = {f"load_{name}": member.flip() for name, member in
                {**axi.request("ar", params.address_bits), **axi.read_data(params.bus_bits)}.items()}
        super().__init__({
            "fetch_ar_valid": In(1), "fetch_ar_ready": Out(1), "fetch_ar_addr": In(params.address_bits),
            "fetch_r_valid": Out(1), "fetch_r_data": Out(params.bus_bits), "fetch_r_error": Out(1),
            **load, **axi.request("ar", params.address_bits), **axi.read_data(params.bus_bits), "ar_fetch": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # A request on offer stays until it is taken.
        fetches = Signal()
        waits = Signal()
        fetch_waits = Signal()
        m.d.comb += [
            fetches.eq(Mux(waits, fetch_waits, self.fetch_ar_valid)),
            self.ar_valid.eq(self.fetch_ar_valid | self.load_ar_valid),
            self.ar_addr.eq(Mux(fetches, self.fetch_ar_addr, self.load_ar_addr)),
            self.ar_len.eq(Mux(fetches, Const(fetch_beats(self.params) - 1, 8), self.load_ar_len)),
            self.ar_seg.eq(self.load_ar_seg), self.ar_fetch.eq(fetches),
            self.fetch_ar_ready.eq(fetches & self.ar_ready), self.load_ar_ready.eq(~fetches & self.ar_ready),
        ]
        m.d.sync += [waits.eq(self.ar_valid & ~self.ar_ready), fetch_waits.eq(fetches)]

        # Beats come in the order of the requests, and wait for the word, at the head of those in flight, that tells whose they are.
        depth = 1 << (self.params.max_outstanding + fetch_bursts(self.params) - 1).bit_length()
        m.submodules.whose = whose = Fifo(width=1, depth=depth)
        to_fetch = Signal()
        to_load = Signal()
        m.d.comb += [
            whose.i_valid.eq(self.ar_valid & self.ar_ready), whose.i.eq(fetches),
            whose.o_ready.eq(self.r_valid & self.r_ready & self.r_last),
            to_fetch.eq(whose.o_valid & whose.o), to_load.eq(whose.o_valid & ~whose.o),
            self.fetch_r_valid.eq(self.r_valid & to_fetch), self.fetch_r_data.eq(self.r_data),
            self.fetch_r_error.eq(self.r_resp != axi.OKAY),
            self.load_r_valid.eq(self.r_valid & to_load), self.load_r_data.eq(self.r_data),
            self.load_r_resp.eq(self.r_resp), self.load_r_last.eq(self.r_last),
            self.r_ready.eq(to_fetch | (to_load & self.load_r_ready)),
        ]
        return m
