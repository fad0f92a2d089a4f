"""Data structures on the wire, declared once: slices of gateware, bytes in Python, macros in C, a table in the documentation."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from amaranth.hdl import unsigned
from amaranth.lib import data

__all__ = ["Field", "Layout", "LayoutError", "Mark", "bits", "c_header", "markdown", "octets"]

_WORD = 32  # bits of what C reads at a time


class LayoutError(ValueError):
    """A value that does not fit its field, or bytes that are no such structure; one line."""


class Mark(enum.Enum):
    """How sure a row is: read in a specification or in several implementations that agree, or chosen here where neither could be had."""

    CONFIRMED = "confirmed"
    OURS = "ours"


@dataclass(frozen=True)
class Field:
    """``width`` bits from bit ``low`` of a structure upward, bytes in little-endian order; ``source``: where that is said."""

    name: str
    low: int
    width: int
    doc: str
    source: str
    mark: Mark = Mark.CONFIRMED

    @property
    def high(self) -> int:
        """Its highest bit."""
        return self.low + self.width - 1

    @property
    def where(self) -> str:
        """Bytes, or bits of a dword, as specifications give them."""
        first, last = self.low // 8, self.high // 8
        if self.low % 8 == 0 and self.width % 8 == 0 and self.width > 8:
            return f"bytes {last}:{first}"
        if self.low % 8 == 0 and self.width == 8:
            return f"byte {first}"
        word, low = divmod(self.low, _WORD)
        span = f"{low}" if self.width == 1 else f"{low + self.width - 1}:{low}"
        return f"dword {word}, bit{'s' * (self.width > 1)} {span}"

    def ours(self) -> Field:
        """The same field, where its place is our choice."""
        return replace(self, mark=Mark.OURS)


def bits(name: str, dword: int, high: int, low: int, doc: str, source: str) -> Field:
    """Bits ``high`` to ``low`` of a dword; ``high`` may lie in those that follow."""
    return Field(name, _WORD * dword + low, high - low + 1, doc, source)


def octets(name: str, first: int, size: int, doc: str, source: str) -> Field:
    """``size`` bytes from byte ``first`` on."""
    return Field(name, 8 * first, 8 * size, doc, source)


@dataclass(frozen=True)
class Layout:
    """A structure of ``size`` bytes. What no field has is reserved, and zero.

    Raises
    ------
    ValueError
        If fields overlap or leave the structure, if two have one name, or if C could not read one in words of 32 bits: a field lies within
        a dword, or is whole dwords, or whole bytes.
    """

    name: str
    size: int
    doc: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names, taken = set(), 0
        for field in self.fields:
            mine = ((1 << field.width) - 1) << field.low
            within = field.low // _WORD == field.high // _WORD
            if field.name in names or not field.name.isidentifier():
                raise ValueError(f"{self.name}: {field.name!r} is no name, or of two fields")
            if field.width < 1 or field.high >= 8 * self.size or mine & taken:
                raise ValueError(f"{self.name}.{field.name} overlaps another field or leaves the {self.size} bytes")
            if not within and (field.low % 8 or field.width % 8):
                raise ValueError(f"{self.name}.{field.name} is neither within a dword nor whole bytes")
            names.add(field.name)
            taken |= mine

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}")

    @property
    def shape(self) -> data.FlexibleLayout:
        """For ``data.View``: a slice for each field."""
        return data.FlexibleLayout(8 * self.size, {f.name: data.Field(unsigned(f.width), f.low) for f in self.fields})

    def pack(self, values: Mapping[str, int | bytes] | None = None, **more: int | bytes) -> bytes:
        """The structure's bytes; fields that are not given are zero. A field of whole bytes may be given as such.

        Raises
        ------
        LayoutError
            If there is no such field, or the value does not fit it.
        """
        total = 0
        for name, value in {**(values or {}), **more}.items():
            try:
                field = self[name]
            except KeyError as error:
                raise LayoutError(error.args[0]) from None
            if isinstance(value, bytes):
                if len(value) * 8 != field.width:
                    raise LayoutError(f"{self.name}.{name} has {field.width} bits, not {len(value)} bytes")
                value = int.from_bytes(value, "little")
            if not 0 <= value < 1 << field.width:
                raise LayoutError(f"{self.name}.{name} has {field.width} bits, which do not hold {value}")
            total |= int(value) << field.low
        return total.to_bytes(self.size, "little")

    def unpack(self, text: bytes) -> dict[str, int]:
        """The value of every field.

        Raises
        ------
        LayoutError
            If ``text`` has another size.
        """
        if len(text) != self.size:
            raise LayoutError(f"{self.name} has {self.size} bytes, not {len(text)}")
        whole = int.from_bytes(text, "little")
        return {f.name: whole >> f.low & (1 << f.width) - 1 for f in self.fields}

    def reserved(self, text: bytes) -> bool:
        """Whether ``text`` has a one where no field is."""
        used = sum(((1 << f.width) - 1) << f.low for f in self.fields)
        return bool(int.from_bytes(text, "little") & ~used)


def c_header(guard: str, layouts: Sequence[Layout]) -> str:
    """For each structure its size, and for each field what reads it.

    Of a field within a dword: ``_WORD`` (which), ``_SHIFT`` and ``_MASK`` (of the shifted value), for ``wire_get`` and ``wire_set`` on the
    structure's 32-bit words. Of any other: ``_OFFSET`` and ``_SIZE`` in bytes.
    """
    lines = [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", ""]
    for layout in layouts:
        prefix = layout.name.upper()
        lines += [f"/* {layout.doc} */", f"#define {prefix}_BYTES {layout.size}u"]
        for f in layout.fields:
            name = f"{prefix}_{f.name.upper()}"
            if f.low // _WORD == f.high // _WORD:
                word, shift = divmod(f.low, _WORD)
                lines += [f"#define {name}_WORD {word}u", f"#define {name}_SHIFT {shift}u", f"#define {name}_MASK {(1 << f.width) - 1:#x}u"]
            else:
                lines += [f"#define {name}_OFFSET {f.low // 8}u", f"#define {name}_SIZE {f.width // 8}u"]
        lines.append("")
    lines += ["#define wire_get(words, field) (((words)[field##_WORD] >> field##_SHIFT) & field##_MASK)",
              "#define wire_set(words, field, value) \\",
              "    ((words)[field##_WORD] = ((words)[field##_WORD] & ~(field##_MASK << field##_SHIFT)) | \\",
              "                             (((uint32_t)(value) & field##_MASK) << field##_SHIFT))", "", "#endif", ""]
    return "\n".join(lines)


def markdown(layout: Layout) -> str:
    """The structure's rows in the documentation."""
    lines = [f"### {layout.name}", "", f"{layout.doc} {layout.size} bytes.", "",
             "| where | field | meaning | source | |", "|---|---|---|---|---|"]
    lines += [f"| {f.where} | `{f.name}` | {f.doc} | {f.source} | {f.mark.value} |" for f in sorted(layout.fields, key=lambda f: f.low)]
    return "\n".join([*lines, ""])
