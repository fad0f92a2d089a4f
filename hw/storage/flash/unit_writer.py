"""A unit on its way into flash: data from the device's memory, metadata, scrambled, with parity."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.storage.bus import attach, read_bus
from tenon.hw.storage.dword_fifo import DWORD_BITS, DwordFifo
from tenon.hw.storage.flash.code import BchEncoder
from tenon.hw.storage.flash.page import BLOCK_BITS, METADATA, UnitFormat
from tenon.hw.storage.flash.streams import CRC_BITS, KEY_BITS, crc_step, key_step, seeded
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.runs import RUN_DWORDS, RunReader

__all__ = ["PLACE_BITS", "UnitWriter"]

PLACE_BITS = 32  # of a unit's place among all of its die's
_BUFFER_BYTES = 1024


class UnitWriter(wiring.Component):
    """One unit at a time, in bus words.

    Members
    -------
    i_valid, i_ready, i_addr, i_lba, i_sequence, i_place : In(1), Out(1), In, In(48), In(48), In(32)
        A unit: where its data are, its metadata, and the place that it is written to.
    ar_*, r_* :
        The device's memory.
    o_valid, o_ready, o_last, o : Out(1), In(1), Out(1), Out
        Words.
    o_error : Out(1)
        With the last one: its data could not be read.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        self.memory = {"address_bits": params.address_bits, "bits": params.memory_bits}
        self.width = 8 * params.flash_bytes_per_cycle
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_addr": In(params.address_bits), "i_lba": In(BLOCK_BITS), "i_sequence": In(BLOCK_BITS),
            "i_place": In(PLACE_BITS), **read_bus(**self.memory),
            "o_valid": Out(1), "o_ready": In(1), "o_last": Out(1), "o": Out(self.width), "o_error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        unit, width = UnitFormat(self.params), self.width
        lanes = self.params.memory_bits // DWORD_BITS
        rows = max(2 * self.params.burst_bytes, _BUFFER_BYTES) * 8 // (DWORD_BITS * lanes)
        reader = m.submodules.reader = RunReader(**self.memory, burst_bytes=self.params.burst_bytes, capacity=lanes * rows)
        buffer = m.submodules.buffer = DwordFifo(i_lanes=lanes, o_lanes=1, rows=rows)
        encoder = m.submodules.encoder = BchEncoder(unit.code, width=width)
        attach(m, read_bus(**self.memory), (reader, ""), (self, ""))

        active, part, at = Signal(), Signal(range(unit.parts)), Signal(range(max(unit.lengths)))
        metadata = Signal(2 * BLOCK_BITS)
        key, crc = Signal(KEY_BITS, reset_less=True), Signal(CRC_BITS, reset_less=True)
        m.d.comb += [
            self.i_ready.eq(~active & reader.i_ready), reader.i_valid.eq(self.i_valid & self.i_ready), reader.i_addr.eq(self.i_addr),
            reader.i_dwords.eq(RUN_DWORDS), buffer.i_count.eq(reader.p_count), buffer.i_first.eq(reader.p_first), buffer.i.eq(reader.p),
            reader.freed.eq(buffer.o_enable), buffer.o_count.eq(1),
        ]
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [active.eq(1), part.eq(0), at.eq(0), metadata.eq(Cat(self.i_lba, self.i_sequence)), key.eq(seeded(self.i_place)),
                         crc.eq(-1)]

        # Dwords out of the buffer, and bus words out of those.
        pieces = DWORD_BITS // width
        held, piece = Signal(), Signal(range(max(2, pieces)))
        of_data, of_metadata, of_parity = (Signal(name=f"is_{name}") for name in ("data", "metadata", "parity"))
        taken, used = Signal(), Signal()
        m.d.comb += [used.eq(taken & of_data & (piece == pieces - 1)), buffer.o_enable.eq((buffer.stored != 0) & (~held | used))]
        with m.If(buffer.o_enable):
            m.d.sync += held.eq(1)
        with m.Elif(used):
            m.d.sync += held.eq(0)
        with m.If(taken & of_data):
            m.d.sync += piece.eq(Mux(used, 0, piece + 1) if pieces > 1 else 0)

        # What a word is: by its number in its codeword.
        last_part = Signal()
        body, plain = Signal(range(max(unit.lengths) + 1)), Signal(width)
        meta_at = Signal(range(unit.metadata_words + 1))
        key_later, stream = key_step(key, width)
        everything = Cat(metadata, crc)
        assert len(everything) == METADATA.size
        m.d.comb += [
            last_part.eq(part == unit.parts - 1), body.eq(unit.data_words + Mux(last_part, unit.metadata_words, 0)),
            of_data.eq(at < unit.data_words), of_metadata.eq(~of_data & (at < body)), of_parity.eq(at >= body),
            meta_at.eq(at - unit.data_words),
            plain.eq(Mux(of_data, buffer.o.word_select(piece, width), everything.word_select(meta_at, width))),
            self.o.eq(Mux(of_parity, encoder.o, plain ^ stream)),
            self.o_valid.eq(active & (~of_data | held)), taken.eq(self.o_valid & self.o_ready),
            encoder.i_valid.eq(taken & ~of_parity), encoder.i_first.eq(at == 0), encoder.i.eq(self.o), encoder.o_next.eq(taken & of_parity),
            self.o_last.eq(last_part & (at == unit.lengths[1] - 1)),
            self.o_error.eq(reader.d_error), reader.d_ready.eq(taken & self.o_last),
        ]
        with m.If(taken):
            m.d.sync += at.eq(at + 1)
            with m.If(at == body + unit.parity_words - 1):
                m.d.sync += [at.eq(0), part.eq(part + 1)]
            with m.If(self.o_last):
                m.d.sync += active.eq(0)
            with m.If(~of_parity):
                m.d.sync += key.eq(key_later)
            with m.If(of_data | (of_metadata & (meta_at < 2 * BLOCK_BITS // width))):
                m.d.sync += crc.eq(crc_step(crc, plain))
        return m
