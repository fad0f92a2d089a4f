"""BAR 0: the controller's registers, doorbells and the MSI-X table, as the host sees them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.axi_lite import AXI_LITE, WORD_BITS, AxiLite
from tenon.hw.storage.nvme.registers import BAR_BYTES, CONTROLLER_REGISTERS, DOORBELLS, MSIX_PENDING, MSIX_TABLE, VERSION
from tenon.hw.storage.params import StorageParams

__all__ = ["READY_HALF_SECONDS", "WRITABLE", "HostRegisters"]

#: How long the controller may take to become ready, in 500 ms: CAP.TO.
READY_HALF_SECONDS = 20

#: Registers that the host writes, as words of BAR 0.
WRITABLE = {"cc": 0x14, "aqa": 0x24, "asq_low": 0x28, "asq_high": 0x2C, "acq_low": 0x30, "acq_high": 0x34}


class HostRegisters(wiring.Component):
    """Answers the host; what a write means is for others. Whatever is reserved reads as zero and is not written; no access is an error.

    Members
    -------
    s_axil_* :
        The bus, from the PCIe endpoint.
    cc, aqa, asq_low, asq_high, acq_low, acq_high : Out(32)
        What the host has written.
    cc_written : Out(1)
        CC is there from this cycle on.
    csts : In(32)
        The controller's status.
    d_valid, d_index, d_value : Out(1), Out(16), Out(16)
        A doorbell was written.
    t_write, t_word, t_data, t_strobes, t_read, t_read_word, t_read_data :
        Accesses to the MSI-X table.
    pending : In(vectors)
        Vectors that wait to be sent.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        word = range(params.vectors * 4)
        super().__init__({
            **AXI_LITE, **dict.fromkeys(WRITABLE, Out(32)), "cc_written": Out(1), "csts": In(32),
            "d_valid": Out(1), "d_index": Out(16), "d_value": Out(16),
            "t_write": Out(1), "t_word": Out(word), "t_data": Out(32), "t_strobes": Out(4),
            "t_read": Out(1), "t_read_word": Out(word), "t_read_data": In(32), "pending": In(params.vectors),
        })

    def elaborate(self, platform):
        m = Module()
        port = emit.instance(m, "port", AxiLite())
        for name, member in AXI_LITE.items():
            ours, theirs = getattr(self, name), getattr(port, name)
            m.d.comb += theirs.eq(ours) if member.flow == wiring.In else ours.eq(theirs)
        inside = (BAR_BYTES // 4 - 1).bit_length()  # what is above is the endpoint's choice of addresses
        assert inside <= WORD_BITS
        w_word, r_word = port.w_word[:inside], port.r_word[:inside]

        # Writes: bytes of a register, a doorbell, the table.
        m.d.sync += self.cc_written.eq(0)
        with m.If(port.write):
            with m.Switch(w_word):
                for name, offset in WRITABLE.items():
                    with m.Case(offset // 4):
                        register = getattr(self, name)
                        for k in range(4):
                            with m.If(port.w_strobes[k]):
                                m.d.sync += register[8 * k:8 * k + 8].eq(port.w_data[8 * k:8 * k + 8])
                        if name == "cc":
                            m.d.sync += self.cc_written.eq(1)
        table_word = w_word - MSIX_TABLE // 4
        m.d.comb += [
            self.d_valid.eq(port.write & (w_word >= DOORBELLS // 4) & (w_word < MSIX_TABLE // 4)),
            self.d_index.eq(w_word - DOORBELLS // 4), self.d_value.eq(port.w_data),
            self.t_write.eq(port.write & (w_word >= MSIX_TABLE // 4) & (w_word < MSIX_TABLE // 4 + 4 * self.params.vectors)),
            self.t_word.eq(table_word), self.t_data.eq(port.w_data), self.t_strobes.eq(port.w_strobes),
        ]

        # Reads.
        fixed = data.View(CONTROLLER_REGISTERS.shape, Signal(8 * CONTROLLER_REGISTERS.size, name="registers"))
        constants = {"cap_mqes": self.params.queue_entries - 1, "cap_cqr": 1, "cap_to": READY_HALF_SECONDS, "cap_css": 0b100_0001,
                     "vs": VERSION}
        m.d.comb += [getattr(fixed, name).eq(value) for name, value in constants.items()]
        words = {k: fixed.as_value().word_select(k, 32) for k in range(CONTROLLER_REGISTERS.size // 4)}
        words |= {offset // 4: getattr(self, name) for name, offset in WRITABLE.items()}
        words[CONTROLLER_REGISTERS["csts_rdy"].low // 32] = self.csts
        waiting = Cat(self.pending, Const(0, -len(self.pending) % 64))
        words |= {MSIX_PENDING // 4 + k: waiting.word_select(k, 32) for k in range(len(waiting) // 32)}
        answer, of_table = Signal(32, reset_less=True), Signal()
        with m.If(port.read):
            m.d.sync += [answer.eq(0), of_table.eq(self.t_read)]
            with m.Switch(r_word):
                for number, word in words.items():
                    with m.Case(number):
                        m.d.sync += answer.eq(word)
        m.d.comb += [
            self.t_read.eq(port.read & (r_word >= MSIX_TABLE // 4) & (r_word < MSIX_TABLE // 4 + 4 * self.params.vectors)),
            self.t_read_word.eq(r_word - MSIX_TABLE // 4), port.r_data.eq(answer),
        ]
        with m.If(of_table):
            m.d.comb += port.r_data.eq(self.t_read_data)
        return m
