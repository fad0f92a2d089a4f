"""The processor that runs the drive's firmware: a VexRiscv core, its memory, and what it reaches."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.axi_lite import WORD_BITS
from tenon.hw.storage.bus import read_bus, write_bus
from tenon.hw.storage.params import StorageParams

__all__ = ["ACCELERATOR", "DRAM", "FIRMWARE_BYTES", "FIRMWARE_FILE", "REACH", "REGISTERS", "SRAM", "Processor"]

# Where the core sees things: by the upper four bits of an address. It caches nothing from 8000_0000 upward.
SRAM = 0x7000_0000
REGISTERS = 0x8000_0000
ACCELERATOR = 0x9000_0000
DRAM = 0xC000_0000  # the first gigabyte of the device's memory
REACH = 1 << 30

FIRMWARE_BYTES = 128 * 1024
FIRMWARE_FILE = "firmware.hex"  # words, from SRAM on

_WRITES = 15  # to the device's memory, in flight

_IBUS = {"iBusWishbone_CYC": Out(1), "iBusWishbone_STB": Out(1), "iBusWishbone_ACK": In(1), "iBusWishbone_WE": Out(1),
         "iBusWishbone_ADR": Out(30), "iBusWishbone_DAT_MISO": In(32), "iBusWishbone_DAT_MOSI": Out(32), "iBusWishbone_SEL": Out(4),
         "iBusWishbone_ERR": In(1), "iBusWishbone_CTI": Out(3), "iBusWishbone_BTE": Out(2)}
_DBUS = {name.replace("iBus", "dBus"): member for name, member in _IBUS.items()}


class Core(wiring.Component):
    """VexRiscv, RV32IM with caches of 4 KiB (SpinalHDL, MIT licence): its text comes from the package ``pythondata-cpu-vexriscv``."""

    def __init__(self):
        super().__init__({
            "reset": In(1), "externalResetVector": In(32), "timerInterrupt": In(1), "softwareInterrupt": In(1),
            "externalInterruptArray": In(32), **_IBUS, **_DBUS,
        })

    def black_box(self, prefix: str):
        return "VexRiscv", "// Module VexRiscv, the processor's core, is in a file of its own.\n", {}


class Sram(wiring.Component):
    """The core's memory: a port for instructions, one for data; what it holds at the start is firmware.

    Members
    -------
    i_en, i_addr, i_data : In(1), In, Out(32)
    d_en, d_we, d_addr, d_w_data, d_r_data : In(1), In(4), In, In(32), Out(32)
    """

    def __init__(self):
        word = range(FIRMWARE_BYTES // 4)
        super().__init__({"i_en": In(1), "i_addr": In(word), "i_data": Out(32),
                          "d_en": In(1), "d_we": In(4), "d_addr": In(word), "d_w_data": In(32), "d_r_data": Out(32)})

    def black_box(self, prefix: str):
        text = _SRAM_TEXT.replace("{prefix}", prefix).replace("{file}", FIRMWARE_FILE)
        return f"{prefix}_firmware_memory", text, {"WORDS": FIRMWARE_BYTES // 4, "ADDRESS": (FIRMWARE_BYTES // 4 - 1).bit_length()}


_SRAM_TEXT = """\
// The processor's memory: two ports, of which the second writes bytes. It begins with what {file} has.
module {prefix}_firmware_memory #(parameter WORDS = 4, parameter ADDRESS = 2) (
  input wire clk,
  input wire i_en, input wire [ADDRESS-1:0] i_addr, output reg [31:0] i_data,
  input wire d_en, input wire [3:0] d_we, input wire [ADDRESS-1:0] d_addr, input wire [31:0] d_w_data, output reg [31:0] d_r_data
);
  reg [31:0] words [0:WORDS-1];
  initial $readmemh("{file}", words);
  integer i;
  always @(posedge clk) if (i_en) i_data <= words[i_addr];
  always @(posedge clk) if (d_en) begin
    d_r_data <= words[d_addr];
    for (i = 0; i < 4; i = i + 1) if (d_we[i]) words[d_addr][8*i +: 8] <= d_w_data[8*i +: 8];
  end
endmodule
"""


class Processor(wiring.Component):
    """Runs firmware. What is at no address reads as zero, and writes to it are lost.

    Members
    -------
    irq, active : In(1), Out(1)
        The core's one interrupt; it asks for something.
    p_access, p_write, p_word, p_value, p_ack, p_answer : Out(1), Out(1), Out, Out(32), In(1), In(32)
        Registers of the drive: ``ProcessorPort``.
    x_access, x_strobes, x_ack, x_answer : Out(1), Out(4), In(1), In(32)
        Registers of the accelerator, with the same ``p_write``, ``p_word`` and ``p_value``.
    ar_*, r_*, aw_*, w_*, b_* :
        The device's memory: single words.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        memory = {"address_bits": params.address_bits, "bits": params.memory_bits}
        super().__init__({
            "irq": In(1), "active": Out(1), "p_access": Out(1), "p_write": Out(1), "p_word": Out(WORD_BITS), "p_value": Out(32),
            "p_ack": In(1),
            "p_answer": In(32), "x_access": Out(1), "x_strobes": Out(4), "x_ack": In(1), "x_answer": In(32),
            **read_bus(**memory), **write_bus(**memory),
        })

    def elaborate(self, platform):
        m = Module()
        core = emit.instance(m, "core", Core())
        sram = emit.instance(m, "sram", Sram())
        m.d.comb += [core.reset.eq(ResetSignal()), core.externalResetVector.eq(SRAM), core.externalInterruptArray.eq(self.irq)]

        # Instructions come from the core's own memory.
        i_ack = Signal()
        m.d.comb += [
            sram.i_en.eq(core.iBusWishbone_CYC & core.iBusWishbone_STB & ~i_ack), sram.i_addr.eq(core.iBusWishbone_ADR),
            core.iBusWishbone_DAT_MISO.eq(sram.i_data), core.iBusWishbone_ACK.eq(i_ack),
        ]
        m.d.sync += i_ack.eq(sram.i_en)
        m.d.comb += self.active.eq(core.iBusWishbone_CYC | core.dBusWishbone_CYC)

        # Data: by the upper bits of the address.
        access, where, s_ack, n_ack = Signal(), Signal(4), Signal(), Signal()
        adr, we, sel, value = (getattr(core, f"dBusWishbone_{name}") for name in ("ADR", "WE", "SEL", "DAT_MOSI"))
        settled, dram_ack = Signal(), Signal()
        m.d.comb += [access.eq(core.dBusWishbone_CYC & core.dBusWishbone_STB), where.eq(adr[26:])]
        to_sram, to_registers, to_accelerator, to_dram = (
            Signal(name=f"to_{name}") for name in ("sram", "registers", "accelerator", "dram"))
        m.d.comb += [
            to_sram.eq(access & (where == SRAM >> 28)), to_registers.eq(access & (where == REGISTERS >> 28)),
            to_accelerator.eq(access & (where == ACCELERATOR >> 28)), to_dram.eq(access & (where[2:] == DRAM >> 30)),
            sram.d_en.eq(to_sram & ~s_ack), sram.d_addr.eq(adr), sram.d_w_data.eq(value),
            sram.d_we.eq(sel & we.replicate(4)),
            self.p_access.eq(to_registers & settled), self.x_access.eq(to_accelerator & settled), self.p_write.eq(we),
            self.p_word.eq(adr), self.p_value.eq(value), self.x_strobes.eq(sel),
        ]
        m.d.sync += [s_ack.eq(sram.d_en), n_ack.eq(access & ~n_ack & ~to_sram & ~to_registers & ~to_accelerator & ~to_dram)]

        # The device's memory: bursts of one beat. Writes are not waited for, but whatever is not a write to it waits for them.
        lanes = self.params.memory_bits // 32
        lane_bits = (lanes - 1).bit_length()
        asked, written, writes = Signal(), Signal(), Signal()
        unanswered = Signal(range(_WRITES + 1))
        address = Signal(self.params.address_bits)
        lane = adr[:lane_bits] if lane_bits else Const(0, 1)
        aw_done, w_done, w_ack = Signal(), Signal(), Signal()
        m.d.comb += [
            writes.eq(to_dram & we & (unanswered != _WRITES)), settled.eq(unanswered == 0),
            address.eq(Cat(Const(0, 2 + lane_bits), adr[lane_bits:28])), self.ar_addr.eq(address), self.aw_addr.eq(address),
            self.ar_valid.eq(to_dram & ~we & ~asked & settled), self.aw_valid.eq(writes & ~asked),
            self.w_valid.eq(writes & ~written), self.w_last.eq(1),
            self.w_data.eq(value.replicate(lanes)), self.w_strb.eq(sel << (lane << 2)),
            self.r_ready.eq(1), self.b_ready.eq(1), aw_done.eq(writes & (asked | self.aw_ready)),
            w_done.eq(writes & (written | self.w_ready)),
            w_ack.eq(aw_done & w_done), dram_ack.eq(self.r_valid | w_ack),
        ]
        m.d.sync += unanswered.eq(unanswered + w_ack - self.b_valid)
        with m.If(dram_ack):
            m.d.sync += [asked.eq(0), written.eq(0)]
        with m.Elif(to_dram):
            m.d.sync += [asked.eq(asked | aw_done | (self.ar_valid & self.ar_ready)), written.eq(w_done)]

        m.d.comb += [
            core.dBusWishbone_ACK.eq(s_ack | n_ack | (to_registers & self.p_ack) | (to_accelerator & self.x_ack) | dram_ack),
        ]
        for mine, answer in ((to_sram, sram.d_r_data), (to_registers, self.p_answer), (to_accelerator, self.x_answer),
                             (to_dram, self.r_data.word_select(lane, 32))):
            with m.If(mine):
                m.d.comb += core.dBusWishbone_DAT_MISO.eq(answer)
        return m
