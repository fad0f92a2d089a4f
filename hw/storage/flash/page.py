"""How a unit lies in its page: codewords behind each other, the last one with the unit's metadata, each followed by its parity."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import unsigned
from amaranth.lib import data

from tenon.hw.storage.flash.field import Bch
from tenon.hw.storage.flash.streams import crc_of, key_of, seeded
from tenon.hw.storage.params import METADATA_BYTES, UNIT_BYTES, StorageParams

__all__ = ["BLOCK_BITS", "METADATA", "UnitFormat"]

#: Of a unit: which block of the namespace it is, when it was written, and CRC-32 of all before.
METADATA = data.StructLayout({"lba": unsigned(48), "sequence": unsigned(48), "crc": unsigned(32)})
BLOCK_BITS = 48


@dataclass(frozen=True)
class UnitFormat:
    """Bytes of a unit on the bus, and bus words of its parts."""

    params: StorageParams

    @property
    def code(self) -> Bch:
        return Bch(self.params.field_bits, self.params.bch_t)

    @property
    def word_bytes(self) -> int:
        return self.params.flash_bytes_per_cycle

    @property
    def parts(self) -> int:
        """Codewords."""
        return self.params.unit_parts

    @property
    def data_words(self) -> int:
        """Of a codeword's share of the data."""
        return self.params.bch_bytes // self.word_bytes

    @property
    def metadata_words(self) -> int:
        return METADATA_BYTES // self.word_bytes

    @property
    def parity_words(self) -> int:
        return self.params.codeword_parity_bytes // self.word_bytes

    @property
    def lengths(self) -> tuple[int, int]:
        """Words of a codeword, and of the last one."""
        each = self.data_words + self.parity_words
        return each, each + self.metadata_words

    @property
    def words(self) -> int:
        """Of a unit."""
        return (self.parts - 1) * self.lengths[0] + self.lengths[1]

    @property
    def size(self) -> int:
        """Bytes of a unit."""
        return self.words * self.word_bytes

    def encode(self, contents: bytes, lba: int, sequence: int, place: int) -> bytes:
        """A unit's bytes in flash; ``place``: of the unit among all of its die's."""
        assert len(contents) == UNIT_BYTES
        body = contents + lba.to_bytes(6, "little") + sequence.to_bytes(6, "little")
        body += crc_of(body).to_bytes(4, "little")
        body = bytes(a ^ b for a, b in zip(body, key_of(seeded(place), len(body))))
        text, each = b"", self.params.bch_bytes
        for part in range(self.parts):
            piece = body[part * each:(part + 1) * each] if part < self.parts - 1 else body[part * each:]
            parity = self.code.encode(piece) << (8 * self.params.codeword_parity_bytes - self.code.parity_bits)
            text += piece + parity.to_bytes(self.params.codeword_parity_bytes, "big")
        return text
