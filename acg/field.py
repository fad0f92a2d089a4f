"""Fields of an instruction: their ranges and their bits."""

from __future__ import annotations

import operator
import struct
from dataclasses import dataclass
from functools import cached_property

__all__ = ["EncodingError", "Field", "address", "extent", "integer", "option", "real", "stride"]


class EncodingError(ValueError):
    """A field's value outside its range; the message names mnemonic, field, rule and value."""


@dataclass(frozen=True)
class Field:
    """An integer in ``low..high`` (encoded as its distance from a positive ``low``, in two's complement if ``low``
    is negative), an ``enum`` (its index), or a ``f32`` (its bits). ``low`` of an extent is 1. An ``address`` is an integer that a stream of
    the sequencer gives (``acg.sequencer``): encoded is which."""

    name: str
    low: int
    high: int
    kind: str = "int"
    choices: tuple[str, ...] = ()

    @cached_property
    def width(self) -> int:
        """Bits."""
        if self.kind == "f32":
            return 32
        if self.low < 0:
            return 1 + max((-self.low - 1).bit_length(), self.high.bit_length())
        return max((self.high - self.low).bit_length(), 1)

    @cached_property
    def signed(self) -> bool:
        return self.kind != "f32" and self.low < 0

    @property
    def default(self) -> int | float:
        """What an instruction has that does not say: an extent of 1, the number 0, the first choice."""
        return 0.0 if self.kind == "f32" else max(self.low, 0)

    def check(self, value: object, owner: str) -> int | float:
        """``value`` as it is encoded: a choice as its index, a number rounded to binary32.

        Raises
        ------
        EncodingError
            If it cannot be; ``owner`` is the mnemonic's name in the message.
        """
        if self.kind == "f32":
            try:
                return struct.unpack("<f", struct.pack("<f", value))[0]
            except (struct.error, OverflowError):
                raise EncodingError(f"{owner}.{self.name} must be a binary32 number, not {value!r}") from None
        if isinstance(value, str) and value in self.choices:
            return self.choices.index(value)
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or not self.low <= number <= self.high:
            rule = f"one of {', '.join(self.choices)}" if self.choices else f"in {self.low}..{self.high}"
            raise EncodingError(f"{owner}.{self.name} must be {rule}, not {value!r}")
        return number

    def encode(self, value: int | float) -> int:
        """Bits of a value that ``check`` gave."""
        if self.kind == "f32":
            return struct.unpack("<I", struct.pack("<f", value))[0]
        return (value - max(self.low, 0)) & ((1 << self.width) - 1)

    def decode(self, bits: int) -> int | float:
        if self.kind == "f32":
            return struct.unpack("<f", struct.pack("<I", bits))[0]
        if self.signed and bits >> (self.width - 1):
            bits -= 1 << self.width
        return bits + max(self.low, 0)


def address(name: str, high: int) -> Field:
    """An address that a stream gives."""
    return Field(name, 0, high, "address")


def integer(name: str, low: int, high: int) -> Field:
    return Field(name, low, high)


def extent(name: str) -> Field:
    """A level's number of steps."""
    return Field(name, 1, 1 << 16)


def stride(name: str, bits: int = 16) -> Field:
    """A signed step of an address."""
    return Field(name, -(1 << bits - 1), (1 << bits - 1) - 1)


def option(name: str, *choices: str) -> Field:
    return Field(name, 0, len(choices) - 1, "enum", choices)


def real(name: str) -> Field:
    """A binary32 number."""
    return Field(name, 0, 0, "f32")
