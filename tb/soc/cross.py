"""Compiles C and assembly for the simulated system's RISC-V core, and reads what the linker wrote."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tenon.compiler.cache import cache_folder
from tenon.tb.toolchain import ToolError

__all__ = ["WARNINGS", "CrossError", "compile_c", "compile_firmware", "memory_words"]

#: What every compiler that sees the firmware is asked to complain about; each complaint is an error.
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-align", "-Wcast-qual", "-Wundef",
            "-Wvla", "-pedantic", "-Werror")

_TARGET = ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+zicsr+zifencei")


class CrossError(RuntimeError):
    """The firmware does not compile; the message is the compiler's."""


def compile_firmware(sources: Sequence[Path], includes: Sequence[Path], script: Path, output: Path, *,
                     options: Sequence[str] = ()) -> Path:
    """Compiles and links ``sources`` into the ELF file ``output``.

    Parameters
    ----------
    includes : sequence of Path
        Folders of headers.
    script : Path
        The linker's script.
    options : sequence of str
        More for the compiler, ``-DNAME=VALUE`` say.

    Raises
    ------
    tb.toolchain.ToolError
        The compiler is not installed.
    CrossError
        A warning or an error.
    """
    return compile_c(sources, includes, output, [*_TARGET, "-ffreestanding", "-nostdlib", "-Os", "-ffunction-sections", *options,
                                                 "-T", str(script), "-Wl,--gc-sections"])


def compile_c(sources: Sequence[Path], includes: Sequence[Path], output: Path, options: Sequence[str]) -> Path:
    """Compiles C11 with ``WARNINGS``, for this machine if ``options`` do not say otherwise. Raises as ``compile_firmware`` does."""
    if importlib.util.find_spec("ziglang") is None:
        raise ToolError("ziglang (compiles C for RISC-V) is missing: pip install ziglang")
    cache = str(cache_folder() / "zig")
    command = [sys.executable, "-m", "ziglang", "cc", "-std=c11", *WARNINGS, *(f"-I{folder}" for folder in includes), *options,
               *map(str, sources), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache})
    if done.returncode:
        raise CrossError(done.stderr.strip())
    return output


def memory_words(elf: bytes, base: int) -> list[int]:
    """The words of a memory at ``base`` after an ELF file (32 bits, little endian) was loaded into it.

    Raises
    ------
    ValueError
        If it is no such file, or a segment lies below ``base``.
    """
    if elf[:6] != b"\x7fELF\x01\x01":
        raise ValueError("not a 32-bit little-endian ELF file")
    table, = struct.unpack_from("<I", elf, 28)
    size, count = struct.unpack_from("<HH", elf, 42)
    memory = bytearray()
    for at in range(table, table + size * count, size):
        kind, offset, _, address, length = struct.unpack_from("<5I", elf, at)
        if kind == 1 and length:  # PT_LOAD
            if address < base:
                raise ValueError(f"a segment lies at {address:#x}, below the memory at {base:#x}")
            end = address - base + length
            memory.extend(bytes(max(0, -(-end // 4) * 4 - len(memory))))
            memory[address - base:end] = elf[offset:offset + length]
    return list(struct.unpack(f"<{len(memory) // 4}I", memory))
