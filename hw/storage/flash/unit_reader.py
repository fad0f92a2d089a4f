"""A unit on its way out of flash: corrected, unscrambled, checked, its data into the device's memory."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import attach, write_bus
from tenon.hw.storage.dword_fifo import DWORD_BITS, DwordFifo
from tenon.hw.storage.flash.code import BchDecoder
from tenon.hw.storage.flash.page import BLOCK_BITS, METADATA, UnitFormat
from tenon.hw.storage.flash.streams import CRC_BITS, KEY_BITS, crc_step, key_step, seeded
from tenon.hw.storage.flash.unit_writer import PLACE_BITS
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.runs import RUN_DWORDS, RunWriter

__all__ = ["ERRORS_BITS", "UnitReader", "UnitStatus"]

ERRORS_BITS = 8  # of bits that were corrected in a unit, as many as can be told
_BUFFER_BYTES = 1024
_UNITS = 4  # on their way


class UnitStatus(enum.IntEnum):
    """What came of a unit."""

    GOOD = 0
    FAILED = 1  # it could not be corrected, or its CRC is another's, or memory refused it
    ERASED = 2  # nothing was written there


class UnitReader(wiring.Component):
    """Units in the order in which they were announced.

    Members
    -------
    j_valid, j_ready, j_addr, j_place : In(1), Out(1), In, In(32)
        A unit will come: where its data go, and the place that it was read from.
    i_valid, i_ready, i : In(1), Out(1), In
        Words.
    aw_*, w_*, b_* :
        The device's memory.
    o_valid, o_ready, o_status, o_errors, o_lba, o_sequence : Out(1), In(1), Out(2), Out(8), Out(48), Out(48)
        A unit's data are there, or something is.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        self.memory = {"address_bits": params.address_bits, "bits": params.memory_bits}
        self.width = 8 * params.flash_bytes_per_cycle
        super().__init__({
            "j_valid": In(1), "j_ready": Out(1), "j_addr": In(params.address_bits), "j_place": In(PLACE_BITS),
            "i_valid": In(1), "i_ready": Out(1), "i": In(self.width), **write_bus(**self.memory),
            "o_valid": Out(1), "o_ready": In(1), "o_status": Out(UnitStatus), "o_errors": Out(ERRORS_BITS), "o_lba": Out(BLOCK_BITS),
            "o_sequence": Out(BLOCK_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        unit, width = UnitFormat(self.params), self.width
        lanes = self.params.memory_bits // DWORD_BITS
        rows = max(2 * self.params.burst_bytes, _BUFFER_BYTES) * 8 // (DWORD_BITS * lanes)
        decoder = m.submodules.decoder = BchDecoder(unit.code, width=width, lengths=unit.lengths)
        writer = m.submodules.writer = RunWriter(**self.memory, burst_bytes=self.params.burst_bytes, capacity=lanes * rows)
        buffer = m.submodules.buffer = DwordFifo(i_lanes=1, o_lanes=lanes, rows=rows)
        places = m.submodules.places = Fifo(width=PLACE_BITS, depth=_UNITS)
        blanks = m.submodules.blanks = Fifo(width=1, depth=_UNITS)  # of units that have come: nothing was written there
        results = m.submodules.results = Fifo(width=1 + ERRORS_BITS + 2 * BLOCK_BITS, depth=_UNITS)
        attach(m, write_bus(**self.memory), (writer, ""), (self, ""))
        m.d.comb += [
            self.j_ready.eq(writer.i_ready & places.i_ready), writer.i_valid.eq(self.j_valid & places.i_ready),
            writer.i_addr.eq(self.j_addr), writer.i_dwords.eq(RUN_DWORDS), places.i_valid.eq(self.j_valid & writer.i_ready),
            places.i.eq(self.j_place),
        ]

        # Words that come: codeword after codeword; zeros are counted, of which an erased unit has hardly any.
        part, at, zeros = Signal(range(unit.parts)), Signal(range(max(unit.lengths))), Signal(range(256))
        last_part, ends, take, fresh = Signal(), Signal(), Signal(), Signal(range(256 + width))
        limit = self.params.bch_t * unit.parts // 2
        m.d.comb += [
            last_part.eq(part == unit.parts - 1), ends.eq(at == Mux(last_part, unit.lengths[1], unit.lengths[0]) - 1),
            self.i_ready.eq(decoder.i_ready & blanks.i_ready), take.eq(self.i_valid & self.i_ready),
            decoder.i_valid.eq(self.i_valid & blanks.i_ready), decoder.i.eq(self.i), decoder.i_last.eq(ends), decoder.i_kind.eq(last_part),
            fresh.eq(zeros + sum(~bit for bit in self.i)),
            blanks.i_valid.eq(take & ends & last_part), blanks.i.eq(fresh <= limit),
        ]
        with m.If(take):
            m.d.sync += [at.eq(at + 1), zeros.eq(Mux(fresh > 255, 255, fresh))]
            with m.If(ends):
                m.d.sync += [at.eq(0), part.eq(Mux(last_part, 0, part + 1))]
                with m.If(last_part):
                    m.d.sync += zeros.eq(0)

        # Words that go: data into the buffer, metadata into a register, parity nowhere.
        out_at, first = Signal(range(max(unit.lengths))), Signal(init=1)  # ``first``: of the unit's codewords
        key, crc = Signal(KEY_BITS, reset_less=True), Signal(CRC_BITS, reset_less=True)
        key_now, crc_now = Signal(KEY_BITS), Signal(CRC_BITS)
        metadata = Signal(METADATA.size, reset_less=True)
        of_data, of_metadata, begins, room, go = (Signal(name=f"out_{name}") for name in ("data", "metadata", "begins", "room", "go"))
        plain = Signal(width)
        key_later, stream = key_step(key_now, width)
        m.d.comb += [
            begins.eq(first & (out_at == 0)), of_data.eq(out_at < unit.data_words),
            of_metadata.eq(~of_data & decoder.o_kind & (out_at < unit.data_words + unit.metadata_words)),
            key_now.eq(Mux(begins, seeded(places.o), key)), crc_now.eq(Mux(begins, (1 << CRC_BITS) - 1, crc)),
            plain.eq(decoder.o ^ stream),
            room.eq(buffer.stored < lanes * rows - 2), decoder.o_ready.eq(go),
            go.eq(places.o_valid & (~of_data | room) & (~(decoder.o_last & decoder.o_kind) | (results.i_ready))),
        ]
        took, meta_at = Signal(), Signal(range(unit.metadata_words + 1))
        m.d.comb += [took.eq(decoder.o_valid & go), meta_at.eq(out_at - unit.data_words)]
        failed, errors, all_errors, all_failed = Signal(), Signal(ERRORS_BITS), Signal(range(1 << ERRORS_BITS + 1)), Signal()
        m.d.comb += [all_failed.eq(failed | decoder.o_failed), all_errors.eq(errors + decoder.o_errors)]
        with m.If(took):
            m.d.sync += out_at.eq(out_at + 1)
            with m.If(of_data | of_metadata):
                m.d.sync += key.eq(key_later)
            with m.If(of_data | (of_metadata & (meta_at < 2 * BLOCK_BITS // width))):
                m.d.sync += crc.eq(crc_step(crc_now, plain))
            with m.If(of_metadata):
                m.d.sync += metadata.eq(Cat(metadata[width:], plain))
            with m.If(decoder.o_last):
                m.d.sync += [out_at.eq(0), first.eq(decoder.o_kind), failed.eq(all_failed),
                             errors.eq(Mux(all_errors >> ERRORS_BITS, -1, all_errors))]
                with m.If(decoder.o_kind):
                    m.d.sync += [failed.eq(0), errors.eq(0)]
        found = metadata  # whole before the last word, which is parity
        m.d.comb += [
            places.o_ready.eq(took & decoder.o_last & decoder.o_kind), results.i_valid.eq(places.o_ready),
            results.i.eq(Cat(all_failed | (found[2 * BLOCK_BITS:] != crc), Mux(all_errors >> ERRORS_BITS, -1, all_errors)[:ERRORS_BITS],
                             found[:2 * BLOCK_BITS])),
        ]

        pieces = DWORD_BITS // width
        gathered, piece = Signal(DWORD_BITS), Signal(range(max(2, pieces)))
        m.d.comb += [buffer.i.eq(Cat(gathered[width:], plain)), buffer.i_count.eq(took & of_data & (piece == pieces - 1))]
        with m.If(took & of_data):
            m.d.sync += [gathered.eq(Cat(gathered[width:], plain)), piece.eq(Mux(piece == pieces - 1, 0, piece + 1))]
        m.d.comb += [
            writer.stored.eq(buffer.stored), buffer.o_enable.eq(writer.t_enable), buffer.o_count.eq(writer.t_count),
            buffer.o_first.eq(writer.t_first), writer.t.eq(buffer.o),
        ]

        # A unit is done when its data have been written.
        bad, count, meta = Signal(), Signal(ERRORS_BITS), Signal(2 * BLOCK_BITS)
        m.d.comb += [
            Cat(bad, count, meta).eq(results.o), self.o_valid.eq(results.o_valid & blanks.o_valid & writer.d_valid),
            *(part.eq(self.o_valid & self.o_ready) for part in (results.o_ready, blanks.o_ready, writer.d_ready)),
            self.o_status.eq(Mux(blanks.o, UnitStatus.ERASED, Mux(bad | writer.d_error, UnitStatus.FAILED, UnitStatus.GOOD))),
            self.o_errors.eq(count), Cat(self.o_lba, self.o_sequence).eq(meta),
        ]
        return m
