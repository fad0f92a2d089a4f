"""The AXI4-Lite subordinate: control, status, segment bases, counters and time stamps."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.params import SystolicParams
from tenon.hw.registers import COUNTERS, ENGINES, ID, VERSION, ErrorCode, registers

__all__ = ["AXI_LITE", "Control"]

#: Members of an AXI4-Lite subordinate.
AXI_LITE = {
    "s_axil_awvalid": In(1), "s_axil_awready": Out(1), "s_axil_awaddr": In(16),
    "s_axil_wvalid": In(1), "s_axil_wready": Out(1), "s_axil_wdata": In(32), "s_axil_wstrb": In(4),
    "s_axil_bvalid": Out(1), "s_axil_bready": In(1), "s_axil_bresp": Out(2),
    "s_axil_arvalid": In(1), "s_axil_arready": Out(1), "s_axil_araddr": In(16),
    "s_axil_rvalid": Out(1), "s_axil_rready": In(1), "s_axil_rdata": Out(32), "s_axil_rresp": Out(2),
}


class Control(wiring.Component):
    """Register file behind AXI4-Lite (AMBA IHI 0022, part B); one access at a time, always OKAY.

    Writes to read-only or absent registers do nothing; absent registers read 0. No output depends on an input of the same
    cycle.

    Members
    -------
    s_axil_* :
        The bus: 16-bit addresses, 32-bit data.
    irq : Out(1)
        DONE and IRQ_ENABLE.
    start : Out(1)
        A pulse that begins a program.
    finish, error : In(1), In(4)
        A pulse that ends it, with what STATUS shall say.
    index : In(24)
        Instructions dispatched so far, of the last program when none runs.
    base, length, segment : Out(32), Out(32), Out(32) x 4
    waiting, counter : In(32) per engine, In(32) per counter
    mark_valid, mark, cycle : In(1), In(12), In(32)
        Writes a time stamp.
    """

    def __init__(self, params: SystolicParams, fingerprint: int):
        self.params, self.fingerprint = params, fingerprint
        super().__init__({
            **AXI_LITE,
            "irq": Out(1), "start": Out(1), "busy": Out(1), "finish": In(1), "error": In(4), "index": In(24),
            "base": Out(32), "length": Out(32), "segment": Out(32).array(4),
            "waiting": In(32).array(len(ENGINES)), "counter": In(32).array(len(COUNTERS)),
            "mark_valid": In(1), "mark": In(12), "cycle": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        regs = registers(self.params)
        done = Signal()
        irq_enable = Signal()
        error = Signal(4)

        # Writes: address and data are taken each when it comes, and the register is written when both are here.
        address_held = Signal()
        data_held = Signal()
        write = Signal()
        address = Signal(14, reset_less=True)
        data = Signal(32, reset_less=True)
        strobes = Signal(4, reset_less=True)
        m.d.comb += [
            write.eq(address_held & data_held & (~self.s_axil_bvalid | self.s_axil_bready)),
            self.s_axil_awready.eq(~address_held), self.s_axil_wready.eq(~data_held), self.irq.eq(done & irq_enable),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [address_held.eq(1), address.eq(self.s_axil_awaddr[2:])]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [data_held.eq(1), data.eq(self.s_axil_wdata), strobes.eq(self.s_axil_wstrb)]
        with m.If(write):
            m.d.sync += [address_held.eq(0), data_held.eq(0)]
        with m.If(write):
            m.d.sync += self.s_axil_bvalid.eq(1)
        with m.Elif(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)

        def written(register):
            """``register`` with the bytes that are written."""
            return Cat(Mux(strobes[b], data.word_select(b, 8), register.word_select(b, 8)) for b in range(4))

        control = regs["CONTROL"]
        bit = {f.name: data[f.shift] & strobes[f.shift // 8] for f in control.fields}
        m.d.sync += self.start.eq(0)
        with m.If(write):
            with m.Switch(address):
                with m.Case(control.offset // 4):
                    with m.If(strobes[control.field("IRQ_ENABLE").shift // 8]):
                        m.d.sync += irq_enable.eq(bit["IRQ_ENABLE"])
                    with m.If(bit["CLEAR"]):
                        m.d.sync += [done.eq(0), error.eq(ErrorCode.NONE.value)]
                    with m.If(bit["START"] & ~self.busy):
                        m.d.sync += [self.start.eq(1), self.busy.eq(1), done.eq(0), error.eq(ErrorCode.NONE.value)]
                with m.Case(regs.offset("PROGRAM") // 4):
                    m.d.sync += self.base.eq(written(self.base))
                with m.Case(regs.offset("PROGRAM_LENGTH") // 4):
                    m.d.sync += self.length.eq(written(self.length))
                for i, segment in enumerate(self.segment):
                    with m.Case(regs.offset("SEGMENT", i) // 4):
                        m.d.sync += segment.eq(written(segment))
        with m.If(self.finish):
            m.d.sync += [self.busy.eq(0), done.eq(1), error.eq(self.error)]

        marks = emit.instance(m, "marks", Memory(width=32, depth=self.params.markers))
        m.d.comb += [marks.w_en.eq(self.mark_valid & (self.mark < self.params.markers)),
                     marks.w_addr.eq(self.mark), marks.w_data.eq(self.cycle)]

        # Reads take two cycles, so that a time stamp can come out of its memory.
        reading = Signal()
        stamp = Signal()
        value = Signal(32)
        first = regs.offset("MARK") // 4
        m.d.comb += [
            self.s_axil_arready.eq(~reading & ~self.s_axil_rvalid),
            marks.r_en.eq(self.s_axil_arvalid & self.s_axil_arready), marks.r_addr.eq(self.s_axil_araddr[2:] - first),
        ]
        read_word = self.s_axil_araddr[2:]
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [reading.eq(1), value.eq(0),
                         stamp.eq((read_word >= first) & (read_word < first + self.params.markers))]
            with m.Switch(read_word):
                for name, source in (("ID", ID), ("VERSION", VERSION), ("FINGERPRINT", self.fingerprint),
                                     ("CONTROL", irq_enable << control.field("IRQ_ENABLE").shift),
                                     ("STATUS", Cat(self.busy, done, Const(0, 2), error, self.index)),
                                     ("PROGRAM", self.base), ("PROGRAM_LENGTH", self.length)):
                    with m.Case(regs.offset(name) // 4):
                        m.d.sync += value.eq(source)
                for name, sources in (("SEGMENT", self.segment), ("WAITING", self.waiting), ("COUNTER", self.counter)):
                    for i, source in enumerate(sources):
                        with m.Case(regs.offset(name, i) // 4):
                            m.d.sync += value.eq(source)
        with m.If(reading):
            m.d.sync += [reading.eq(0), self.s_axil_rvalid.eq(1), self.s_axil_rdata.eq(value)]
            with m.If(stamp):
                m.d.sync += self.s_axil_rdata.eq(marks.r_data)
        with m.If(self.s_axil_rvalid & self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        return m
