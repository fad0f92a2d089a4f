"""The registers behind AXI4-Lite: control, status, segments, counters and time stamps."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi, emit
from tenon.hw.axi_lite import AXI_LITE, AxiLite
from tenon.hw.memory import Memory
from tenon.hw.params import SystolicParams
from tenon.hw.register_map import Access
from tenon.hw.registers import COUNTERS, ENGINES, ID, VERSION, ErrorCode, registers

__all__ = ["Control"]


class Control(wiring.Component):
    """Register file. SLVERR is the answer to whatever does nothing: a read or write of a register that is not there, a
    write of one that can only be read, or of one that a run depends on (``Access.SETUP``) while BUSY.

    Members
    -------
    s_axil_* :
        The bus.
    irq : Out(1)
        DONE and IRQ_ENABLE.
    start, stop : Out(1)
        Pulses that begin a program, and end it before its time.
    reset : Out(1)
        A pulse, while no program runs: all state is to be as after power-on. AXI4-Lite goes on meanwhile.
    finish, error : In(1), In(4)
        A pulse that ends a program, with what STATUS shall say.
    index : In(24)
        Instructions dispatched so far, of the last program when none runs.
    base, length : Out(address_bits), Out(32)
    segment, bytes : Out(address_bits) x SEGMENTS
        Constant from two cycles before ``start`` until ``finish``.
    waiting, counter : In(32) per engine, In(32) per counter
    mark_valid, mark, cycle : In(1), In(12), In(32)
        Writes a time stamp.
    """

    def __init__(self, params: SystolicParams, fingerprint: int):
        self.params, self.fingerprint = params, fingerprint
        bits, everywhere = params.address_bits, (1 << params.address_bits) - 1
        super().__init__({
            **AXI_LITE,
            "irq": Out(1), "start": Out(1), "stop": Out(1), "reset": Out(1), "finish": In(1), "error": In(4), "index": In(24),
            "base": Out(bits), "length": Out(32), "segment": Out(bits).array(axi.SEGMENTS),
            "bytes": Out(bits, init=everywhere).array(axi.SEGMENTS),
            "waiting": In(32).array(len(ENGINES)), "counter": In(32).array(len(COUNTERS)),
            "mark_valid": In(1), "mark": In(12), "cycle": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        regs = registers(self.params)
        port = emit.instance(m, "port", AxiLite())
        for name, member in AXI_LITE.items():
            ours, theirs = getattr(self, name), getattr(port, name)
            m.d.comb += theirs.eq(ours) if member.flow == wiring.In else ours.eq(theirs)

        running = Signal()
        resetting = Signal()
        busy = Signal()
        done = Signal()
        irq_enable = Signal()
        error = Signal(4)
        m.d.comb += [self.irq.eq(done & irq_enable), busy.eq(running | resetting)]

        # What software can read and write as it is: each array of words with the halves of addresses that lie there.
        words = {"PROGRAM": [self.base[:32]], "PROGRAM_HIGH": [self.base[32:]], "PROGRAM_LENGTH": [self.length]}
        for name, values in (("SEGMENT", self.segment), ("SEGMENT_BYTES", self.bytes)):
            words |= {name: [v[:32] for v in values], f"{name}_HIGH": [v[32:] for v in values]}

        data, strobes = port.w_data, port.w_strobes
        control = regs["CONTROL"]
        bit = {f.name: data[f.shift] & strobes[f.shift // 8] for f in control.fields}
        m.d.comb += port.w_error.eq(1)
        m.d.sync += [self.start.eq(0), self.stop.eq(0), self.reset.eq(resetting & ~running)]
        with m.If(port.write):
            with m.Switch(port.w_word):
                with m.Case(control.offset // 4):
                    m.d.comb += port.w_error.eq(0)
                    with m.If(strobes[control.field("IRQ_ENABLE").shift // 8] & ~bit["STOP"]):
                        m.d.sync += irq_enable.eq(bit["IRQ_ENABLE"])
                    with m.If(bit["CLEAR"]):
                        m.d.sync += [done.eq(0), error.eq(ErrorCode.NONE.value)]
                    with m.If(bit["RESET"]):
                        m.d.sync += [resetting.eq(1), self.stop.eq(1)]
                    with m.Elif(busy):
                        m.d.sync += self.stop.eq(bit["STOP"])
                    with m.Elif(bit["START"]):
                        m.d.sync += [self.start.eq(1), running.eq(1), done.eq(0), error.eq(ErrorCode.NONE.value)]
                for name, values in words.items():
                    assert regs[name].fields[0].access is Access.SETUP
                    for i, value in enumerate(values):
                        with m.Case(regs.offset(name, i) // 4):
                            m.d.comb += port.w_error.eq(busy)
                            for first in range(0, len(value), 8):
                                with m.If(~busy & strobes[first // 8]):
                                    m.d.sync += value[first:first + 8].eq(data[first:first + 8])
        with m.If(self.finish):
            m.d.sync += [running.eq(0), done.eq(~resetting), error.eq(self.error)]

        marks = emit.instance(m, "marks", Memory(width=32, depth=self.params.markers))
        first = regs.offset("MARK") // 4
        m.d.comb += [marks.w_en.eq(self.mark_valid & (self.mark < self.params.markers)),
                     marks.w_addr.eq(self.mark), marks.w_data.eq(self.cycle),
                     marks.r_en.eq(port.read), marks.r_addr.eq(port.r_word - first)]

        # Reads: a word of its own in the next cycle, or a time stamp.
        stamp = Signal()
        value = Signal(32)
        missing = Signal()
        m.d.comb += [port.r_data.eq(Mux(stamp, marks.r_data, value)), port.r_error.eq(missing)]
        sources = {name: [value] for name, value in (
            ("ID", Const(ID, 32)), ("VERSION", Const(VERSION, 32)), ("FINGERPRINT", Const(self.fingerprint, 32)),
            ("CONTROL", irq_enable << control.field("IRQ_ENABLE").shift),
            ("STATUS", Cat(busy, done, Const(0, 2), error, self.index)))}
        sources |= words | {"WAITING": self.waiting, "COUNTER": self.counter}
        assert {*sources, "MARK"} == {r.name for r in regs.registers}
        with m.If(port.read):
            is_stamp = (port.r_word >= first) & (port.r_word < first + self.params.markers)
            m.d.sync += [value.eq(0), stamp.eq(is_stamp), missing.eq(~is_stamp)]
            with m.Switch(port.r_word):
                for name, values in sources.items():
                    for i, source in enumerate(values):
                        with m.Case(regs.offset(name, i) // 4):
                            m.d.sync += [value.eq(source), missing.eq(0)]
        return ResetInserter(self.reset)(m)
