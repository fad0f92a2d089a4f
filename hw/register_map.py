"""Registers, declared once and rendered as gateware, C header and documentation."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Access", "Field", "Register", "RegisterMap", "c_header", "markdown"]


class Access(enum.Enum):
    """What software may do with a field."""

    RO = "read only"
    RW = "read and write"
    SETUP = "read, and write unless BUSY"
    W1 = "write 1 to act, reads 0"


@dataclass(frozen=True)
class Field:
    """``width`` bits of a register from bit ``shift`` upward."""

    name: str
    shift: int
    width: int
    access: Access
    doc: str

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.shift


@dataclass(frozen=True)
class Register:
    """One 32-bit register, or an array of ``count`` of them, at a byte offset."""

    name: str
    offset: int
    fields: tuple[Field, ...]
    count: int = 1

    @property
    def end(self) -> int:
        return self.offset + 4 * self.count

    def field(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)


@dataclass(frozen=True)
class RegisterMap:
    """Registers in order of their offsets.

    Raises
    ------
    ValueError
        If registers or fields overlap, or an offset is not a multiple of 4.
    """

    name: str
    registers: tuple[Register, ...]

    def __post_init__(self) -> None:
        end = 0
        for register in self.registers:
            if register.offset % 4 or register.offset < end:
                raise ValueError(f"{self.name}.{register.name} at {register.offset:#x} is misaligned or overlaps")
            end = register.end
            used = 0
            for f in register.fields:
                if f.mask & used or f.mask >> 32:
                    raise ValueError(f"{self.name}.{register.name}.{f.name} overlaps or leaves the register")
                used |= f.mask

    def __getitem__(self, name: str) -> Register:
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(f"{self.name} has no register {name!r}")

    def offset(self, name: str, index: int = 0) -> int:
        """Byte offset of register ``name`` (element ``index`` of an array)."""
        return self[name].offset + 4 * index


def c_header(registers: RegisterMap, constants: dict[str, int]) -> str:
    """A C header: byte offsets of ``registers`` and words of each array, shifts and masks, and named ``constants``."""
    prefix = registers.name
    lines = [f"#ifndef {prefix}_H", f"#define {prefix}_H", "", "/* Values: what registers hold, and indices into arrays of registers. */"]
    lines += [f"#define {prefix}_{name} {value:#x}u" for name, value in constants.items()]
    lines += ["", "/* Registers: byte offsets, lengths of arrays, fields. */"]
    for r in registers.registers:
        lines.append(f"#define {prefix}_{r.name} {r.offset:#06x}u")
        if r.count > 1:
            lines.append(f"#define {prefix}_{r.name}_COUNT {r.count}u")
        for f in r.fields:
            if f.width < 32:
                lines.append(f"#define {prefix}_{r.name}_{f.name}_SHIFT {f.shift}u")
                lines.append(f"#define {prefix}_{r.name}_{f.name}_MASK {f.mask:#010x}u")
    return "\n".join([*lines, "", "#endif", ""])


def markdown(registers: RegisterMap) -> str:
    """The register page of the documentation."""
    lines = [f"# Registers of {registers.name}", "", "Words of 32 bits at byte offsets of the AXI4-Lite port.", "",
             "| offset | register | field | bits | access | meaning |", "|---|---|---|---|---|---|"]
    for r in registers.registers:
        span = f"{r.offset:#06x}" + (f" .. {r.end - 4:#06x}" if r.count > 1 else "")
        for index, f in enumerate(r.fields):
            bits = str(f.shift) if f.width == 1 else f"{f.shift + f.width - 1}:{f.shift}"
            where = (span, f"`{r.name}`") if index == 0 else ("", "")
            lines.append(f"| {where[0]} | {where[1]} | `{f.name}` | {bits} | {f.access.value} | {f.doc} |")
    return "\n".join([*lines, ""])
