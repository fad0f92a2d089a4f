"""Interrupts: messages to the host (PCI Local Bus Specification 3.0, section 6.8.2: MSI-X)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.storage.bus import write_bus
from tenon.hw.storage.nvme.registers import MSIX_VECTOR
from tenon.hw.storage.prp import HOST_ADDRESS_BITS

__all__ = ["Interrupts"]

_WORDS = MSIX_VECTOR.size // 4
_DATA, _CONTROL = (MSIX_VECTOR[name].low // 32 for name in ("data", "masked"))


class Interrupts(wiring.Component):
    """The table of vectors, and a message for each that has something to say. What comes while one waits to be sent is said with it.

    Members
    -------
    i_valid, i_vector : In(1), In
        There is something to say.
    enable, mask : In(1)
        The function's MSI-X enable and mask, of PCI's configuration space. While it is not enabled, nothing is remembered.
    t_write, t_word, t_data, t_strobes : In(1), In, In(32), In(4)
        The host writes a word of the table.
    t_read, t_read_word, t_read_data : In(1), In, Out(32)
        It reads one: the answer is there in the next cycle.
    pending : Out(vectors)
        Vectors that wait.
    aw_*, w_*, b_* :
        The host's memory.
    busy : Out(1)
        A message is under way.
    """

    def __init__(self, *, vectors: int, host_bits: int):
        self.vectors, self.host_bits = vectors, host_bits
        word = range(vectors * _WORDS)
        super().__init__({
            "i_valid": In(1), "i_vector": In(range(vectors)), "enable": In(1), "mask": In(1),
            "t_write": In(1), "t_word": In(word), "t_data": In(32), "t_strobes": In(4),
            "t_read": In(1), "t_read_word": In(word), "t_read_data": Out(32),
            "pending": Out(vectors), **write_bus(HOST_ADDRESS_BITS, host_bits), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        word_bits = (_WORDS - 1).bit_length()
        masked = Signal(self.vectors, init=-1)
        vector, step = Signal(range(self.vectors)), Signal(range(_WORDS))
        reads = Signal()  # the table is read for a message
        table = emit.instance(m, "table", Memory(width=32, depth=self.vectors * _WORDS, lane_bits=8))
        m.d.comb += [
            table.w_en.eq(self.t_strobes & self.t_write.replicate(4)), table.w_addr.eq(self.t_word), table.w_data.eq(self.t_data),
            table.r_en.eq(self.t_read | reads), table.r_addr.eq(Cat(step, vector)),
        ]
        with m.If(self.t_read):
            m.d.comb += table.r_addr.eq(self.t_read_word)
        with m.If(self.t_write & (self.t_word[:word_bits] == _CONTROL) & self.t_strobes[0]):
            m.d.sync += masked.bit_select(self.t_word[word_bits:], 1).eq(self.t_data[0])
        control, bit = Signal(), Signal()
        m.d.sync += [control.eq(self.t_read_word[:word_bits] == _CONTROL), bit.eq(masked.bit_select(self.t_read_word[word_bits:], 1))]
        m.d.comb += self.t_read_data.eq(table.r_data)
        with m.If(control):
            m.d.comb += self.t_read_data.eq(bit)

        ready, turn = Signal(self.vectors), Signal(range(self.vectors))
        m.d.comb += ready.eq(self.pending & ~masked & (self.enable & ~self.mask).replicate(self.vectors))
        for number in reversed(range(self.vectors)):
            with m.If(ready[number]):
                m.d.comb += turn.eq(number)

        address, data = Signal(HOST_ADDRESS_BITS, reset_less=True), Signal(32, reset_less=True)
        asked, written, came = Signal(), Signal(), Signal()
        low = (self.host_bits // 8 - 1).bit_length()
        lane = address[2:low] if low > 2 else Const(0, 1)
        m.d.comb += [
            self.aw_addr.eq(Cat(Const(0, low), address[low:])), self.w_data.eq(data.replicate(self.host_bits // 32)),
            self.w_strb.eq(0xF << (lane << 2)), self.w_last.eq(1),
        ]
        sent = Signal()
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += [vector.eq(turn), step.eq(0), asked.eq(0), written.eq(0), came.eq(0)]
                with m.If(ready.any()):
                    m.next = "READ"
            with m.State("READ"):  # the words before the last, one by one, while the host does not read
                m.d.comb += reads.eq(~self.t_read)
                m.d.sync += came.eq(reads)
                with m.If(reads):
                    m.d.sync += step.eq(step + 1)
                with m.If(came):
                    m.d.sync += [address.eq(Cat(address[32:], table.r_data))]
                    with m.If(step == _CONTROL):  # then what came is the data
                        m.d.sync += [address.eq(address), data.eq(table.r_data)]
                        m.d.comb += [sent.eq(1), reads.eq(0)]
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [self.aw_valid.eq(~asked), self.w_valid.eq(~written), self.b_ready.eq(1)]
                with m.If(self.aw_ready):
                    m.d.sync += asked.eq(1)
                with m.If(self.w_ready):
                    m.d.sync += written.eq(1)
                with m.If(self.b_valid):
                    m.next = "IDLE"
        for number in range(self.vectors):
            with m.If(~self.enable | (sent & (vector == number))):
                m.d.sync += self.pending[number].eq(0)
            with m.If(self.enable & self.i_valid & (self.i_vector == number)):
                m.d.sync += self.pending[number].eq(1)
        return m
