"""The processor's way to registers behind AXI4-Lite."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi_lite import AXI_LITE, WORD_BITS

__all__ = ["LiteBridge"]


class LiteBridge(wiring.Component):
    """One access at a time, which is held until it is acknowledged; errors are not told.

    Members
    -------
    access, write, word, value, strobes, ack, answer : In(1), In(1), In, In(32), In(4), Out(1), Out(32)
        The processor.
    s_axil_* :
        The registers' port, as its subordinate has it.
    """

    def __init__(self):
        super().__init__({"access": In(1), "write": In(1), "word": In(WORD_BITS), "value": In(32), "strobes": In(4), "ack": Out(1),
                          "answer": Out(32), **{name: member.flip() for name, member in AXI_LITE.items()}})

    def elaborate(self, platform):
        m = Module()
        sent = {channel: Signal(name=f"{channel}_sent") for channel in ("aw", "w", "ar")}
        address = Cat(Const(0, 2), self.word)
        m.d.comb += [
            self.s_axil_awvalid.eq(self.access & self.write & ~sent["aw"]), self.s_axil_awaddr.eq(address),
            self.s_axil_wvalid.eq(self.access & self.write & ~sent["w"]), self.s_axil_wdata.eq(self.value),
            self.s_axil_wstrb.eq(self.strobes), self.s_axil_bready.eq(1),
            self.s_axil_arvalid.eq(self.access & ~self.write & ~sent["ar"]), self.s_axil_araddr.eq(address), self.s_axil_rready.eq(1),
            self.ack.eq(self.s_axil_bvalid | self.s_axil_rvalid), self.answer.eq(self.s_axil_rdata),
        ]
        for channel, flag in sent.items():
            with m.If(self.ack):
                m.d.sync += flag.eq(0)
            with m.Elif(getattr(self, f"s_axil_{channel}valid") & getattr(self, f"s_axil_{channel}ready")):
                m.d.sync += flag.eq(1)
        return m
