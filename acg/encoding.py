"""Encodings: where the bits of an instruction are."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tenon.acg.field import EncodingError, Field
from tenon.acg.mnemonic import Mnemonic

__all__ = ["Encoding", "Header", "Place"]

#: A field with its bit offset, width and signedness.
Place = tuple[Field, int, int, bool]


@dataclass(frozen=True)
class Header:
    """What the sequencer does with an instruction: masks of tokens, and a time stamp's index."""

    waits: int = 0
    release: int = 0
    done: int = 0
    mark: int = 0


class Encodable(Protocol):
    """An instruction of a program."""

    mnemonic: Mnemonic
    fields: Mapping[str, object]
    header: Header


@dataclass(frozen=True)
class Encoding:
    """``bits`` of an instruction: first those common to all, (name, offset, width) each, then its own fields in their order.

    Common are ``opcode`` (0: the end of the program) and what ``Header`` has: ``waits`` consumes tokens, ``release`` and ``done`` are
    signalled when operands have been read and when results are visible.
    """

    bits: int
    header: tuple[tuple[str, int, int], ...]
    address_bits: int = 0  # of a field that is an address

    @property
    def bytes(self) -> int:
        return self.bits // 8

    def place(self, name: str) -> tuple[int, int]:
        """Offset and width of one of the common fields."""
        return next((offset, width) for known, offset, width in self.header if known == name)

    def places(self, mnemonic: Mnemonic) -> tuple[Place, ...]:
        """Each of an instruction's own fields."""
        return _places(mnemonic.fields, max(offset + width for _, offset, width in self.header), self.address_bits)

    def used(self, mnemonic: Mnemonic) -> int:
        """Bits of an instruction that mean something: the common ones and its own."""
        return max([offset + width for _, offset, width in self.header] + [offset + width for _, offset, width, _ in self.places(mnemonic)])

    def encode(self, mnemonic: Mnemonic, values: Mapping[str, object], header: Header = Header()) -> bytes:
        """One instruction, little endian.

        Raises
        ------
        EncodingError
            For an unknown field, or a value (of the header too) outside its range.
        """
        word = 0
        for name, offset, width in self.header:
            value = mnemonic.opcode if name == "opcode" else getattr(header, name)
            if not 0 <= value < 1 << width:
                raise EncodingError(f"{mnemonic.name}'s {name} must be in 0..{(1 << width) - 1}, not {value}")
            word |= value << offset
        full = mnemonic.complete(values)
        for f, offset, _, _ in self.places(mnemonic):
            word |= f.encode(full[f.name]) << offset
        return word.to_bytes(self.bytes, "little")

    def image(self, instructions: Iterable[Encodable]) -> bytes:
        """A program's bits, END included. EncodingError as ``encode``."""
        return b"".join(self.encode(i.mnemonic, i.fields, i.header) for i in instructions) + bytes(self.bytes)

    def decode(self, text: bytes, mnemonics: Sequence[Mnemonic]) -> tuple[Mnemonic | None, dict[str, int | float], Header]:
        """Mnemonic (None: end of the program), complete fields and header of one instruction.

        Raises
        ------
        EncodingError
            For an unknown opcode, a field out of range, or the wrong number of bytes.
        """
        if len(text) != self.bytes:
            raise EncodingError(f"an instruction must have {self.bytes} bytes, not {len(text)}")
        word = int.from_bytes(text, "little")

        def bits(offset: int, width: int) -> int:
            return word >> offset & (1 << width) - 1

        head = {name: bits(offset, width) for name, offset, width in self.header}
        opcode = head.pop("opcode")
        if opcode == 0:
            return None, {}, Header(**head)
        for mnemonic in mnemonics:
            if mnemonic.opcode == opcode:
                values = {f.name: f.decode(bits(offset, width)) for f, offset, width, _ in self.places(mnemonic)}
                return mnemonic, mnemonic.complete(values), Header(**head)
        raise EncodingError(f"no instruction has opcode {opcode}")


@functools.cache
def _places(fields: tuple[Field, ...], offset: int, address_bits: int) -> tuple[Place, ...]:
    places = []
    for f in fields:
        width = address_bits if f.kind == "address" else f.width
        places.append((f, offset, width, f.signed))
        offset += width
    return tuple(places)
