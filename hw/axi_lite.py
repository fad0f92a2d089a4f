"""The handshakes of an AXI4-Lite subordinate, behind which registers see single reads and writes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi

__all__ = ["AXI_LITE", "WORD_BITS", "AxiLite"]

WORD_BITS = 14  # of a register's number: addresses have 16

#: Members of an AXI4-Lite subordinate.
AXI_LITE = {
    "s_axil_awvalid": In(1), "s_axil_awready": Out(1), "s_axil_awaddr": In(16),
    "s_axil_wvalid": In(1), "s_axil_wready": Out(1), "s_axil_wdata": In(32), "s_axil_wstrb": In(4),
    "s_axil_bvalid": Out(1), "s_axil_bready": In(1), "s_axil_bresp": Out(2),
    "s_axil_arvalid": In(1), "s_axil_arready": Out(1), "s_axil_araddr": In(16),
    "s_axil_rvalid": Out(1), "s_axil_rready": In(1), "s_axil_rdata": Out(32), "s_axil_rresp": Out(2),
}


class AxiLite(wiring.Component):
    """One read and one write at a time (AMBA IHI 0022, part B). No output to the bus depends on its inputs of the same cycle.

    Members
    -------
    s_axil_* :
        The bus: 16-bit addresses, 32-bit data.
    write, w_word, w_data, w_strobes, w_error : Out(1), Out(14), Out(32), Out(4), In(1)
        A pulse with the register's number and what is to be written; SLVERR is the answer if ``w_error`` is high then.
    read, r_word, r_data, r_error : Out(1), Out(14), In(32), In(1)
        A pulse with the register's number; its value, and whether to answer SLVERR, in the next cycle.
    """

    def __init__(self):
        super().__init__({
            **AXI_LITE, "write": Out(1), "w_word": Out(WORD_BITS), "w_data": Out(32), "w_strobes": Out(4), "w_error": In(1),
            "read": Out(1), "r_word": Out(WORD_BITS), "r_data": In(32), "r_error": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        # Address and data are taken each when it comes, and the register is written when both are here.
        address_held = Signal()
        data_held = Signal()
        m.d.comb += [
            self.write.eq(address_held & data_held & (~self.s_axil_bvalid | self.s_axil_bready)),
            self.s_axil_awready.eq(~address_held), self.s_axil_wready.eq(~data_held),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [address_held.eq(1), self.w_word.eq(self.s_axil_awaddr[2:])]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [data_held.eq(1), self.w_data.eq(self.s_axil_wdata), self.w_strobes.eq(self.s_axil_wstrb)]
        with m.If(self.write):
            m.d.sync += [address_held.eq(0), data_held.eq(0), self.s_axil_bvalid.eq(1),
                         self.s_axil_bresp.eq(Mux(self.w_error, axi.SLVERR, axi.OKAY))]
        with m.Elif(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)

        # Reads take two cycles, so that a time stamp can come out of its memory.
        reading = Signal()
        m.d.comb += [
            self.s_axil_arready.eq(~reading & ~self.s_axil_rvalid), self.r_word.eq(self.s_axil_araddr[2:]),
            self.read.eq(self.s_axil_arvalid & self.s_axil_arready),
        ]
        m.d.sync += reading.eq(self.read)
        with m.If(reading):
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rdata.eq(self.r_data),
                         self.s_axil_rresp.eq(Mux(self.r_error, axi.SLVERR, axi.OKAY))]
        with m.Elif(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        return m
