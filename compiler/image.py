"""A program as one block of memory that firmware starts: see ``firmware/driver/tenon_image.h`` for its fields."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tenon.acg.parts import Role
from tenon.compiler.layout import row_major

if TYPE_CHECKING:
    from tenon.compiler.program import Program

__all__ = ["ALIGNMENT", "HEADER", "MAGIC", "TENSOR", "VERSION", "pack"]

MAGIC = b"TNIM"
VERSION = 1
ALIGNMENT = 128  # of instructions and constants within the image, and of the image itself

#: Names of the header's 32-bit words, in order.
HEADER = ("magic", "version", "fingerprint", "bytes", "code", "instructions", "constants", "constants_bytes", "arena_bytes",
          "inputs_bytes", "outputs_bytes", "inputs", "outputs", "tensors")
_HEADER_BYTES = 64  # the rest is reserved, zero

#: Names of the 32-bit words that describe a tensor, in order.
TENSOR = ("segment", "offset", "batch", "height", "width", "channels", "is_signed", "zero_point", "scale_bits")


def pack(program: Program) -> bytes:
    """The image of ``program``: header, tensors, constants, instructions."""
    tensors = b"".join(_tensor(program, name) for name in (*program.inputs, *program.outputs))
    code = program.image()
    constants = _aligned(_HEADER_BYTES + len(tensors))
    first = _aligned(constants + len(program.constants))
    sizes = (program.segments[program.covenant.segment(role)] for role in (Role.SCRATCH, Role.INPUTS, Role.OUTPUTS))
    words = (int.from_bytes(MAGIC, "little"), VERSION, int(program.covenant.fingerprint[:8], 16), first + len(code), first,
             len(program.instructions) + 1, constants, len(program.constants), *sizes, len(program.inputs), len(program.outputs),
             _HEADER_BYTES)
    image = bytearray(first)
    struct.pack_into(f"<{len(HEADER)}I", image, 0, *words)
    image[_HEADER_BYTES:_HEADER_BYTES + len(tensors)] = tensors
    image[constants:constants + len(program.constants)] = program.constants
    return bytes(image) + code


def _tensor(program: Program, name: str) -> bytes:
    tensor, home = program.tensors[name].tensor, program.tensors[name].home
    assert home.layout == row_major(tensor.shape), f"{name} is a host's tensor, which has no gaps"
    segment = program.covenant.segment_names.index(home.segment)
    return struct.pack("<7Iif", segment, home.offset, *tensor.shape, tensor.dtype == "int8", tensor.zero_point, tensor.scale)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
