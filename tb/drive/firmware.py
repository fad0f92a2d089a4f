"""Builds the firmware of a drive."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tenon.hw.storage.headers import headers, link_script
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor import FIRMWARE_BYTES, SRAM
from tenon.tb.gateware import header_of
from tenon.tb.soc.cross import compile_firmware, memory_words

__all__ = ["FIRMWARE", "firmware_words"]

#: Sources of the firmware.
FIRMWARE = Path(__file__).resolve().parents[2] / "firmware" / "storage"

_DRIVER = FIRMWARE.parent / "driver"


@cache
def firmware_words(params: StorageParams) -> tuple[int, ...]:
    """What the processor's memory holds at the start.

    Raises
    ------
    tb.toolchain.ToolError
        If the compiler is missing.
    tb.soc.cross.CrossError
        If it complains.
    ValueError
        If the firmware is too large.
    """
    with tempfile.TemporaryDirectory(prefix="tenon-firmware-") as name:
        folder = Path(name)
        for file, text in {**headers(params), "tenon.h": header_of(params.accelerator), "drive.ld": link_script()}.items():
            (folder / file).write_text(text, encoding="utf-8")
        sources = [FIRMWARE / "startup.S", *sorted(FIRMWARE.glob("*.c")), _DRIVER / "tenon_driver.c"]
        elf = compile_firmware(sources, [folder, FIRMWARE, _DRIVER], folder / "drive.ld", folder / "drive.elf").read_bytes()
    words = memory_words(elf, SRAM)
    if 4 * len(words) > FIRMWARE_BYTES:
        raise ValueError(f"the firmware has {4 * len(words)} bytes; the processor's memory has {FIRMWARE_BYTES}")
    return tuple(words)
