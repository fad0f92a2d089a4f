"""A drive's files: Verilog, the accelerator's covenant, firmware and its headers, pages of registers and structures."""

from __future__ import annotations

from pathlib import Path

import pythondata_cpu_vexriscv

from tenon.flows.outputs import new_folder
from tenon.hw.register_map import markdown as registers_page
from tenon.hw.storage.covenant import drive_covenant
from tenon.hw.storage.drive import DRIVE_PREFIX
from tenon.hw.storage.headers import LAYOUTS, headers, link_script
from tenon.hw.storage.layout import markdown as layout_page
from tenon.hw.storage.memory_map import memory_map
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor import FIRMWARE_FILE, REACH
from tenon.hw.storage.processor_registers import processor_registers
from tenon.tb.drive.firmware import firmware_words
from tenon.tb.drive.system import verilog_of_drive
from tenon.tb.gateware import graph_of, header_of

__all__ = ["generate_drive"]


def generate_drive(params: StorageParams, folder: Path) -> list[Path]:
    """Writes a drive's files into ``folder``; returns them. Firmware is among them if it reaches all of the device's memory.

    Raises
    ------
    UserError
        If ``folder`` holds something that is not ours.
    """
    core = Path(pythondata_cpu_vexriscv.data_file("VexRiscv_Full.v")).read_text(encoding="utf-8")
    pages = "\n".join(layout_page(layout) for layout in LAYOUTS)
    texts = {
        f"{DRIVE_PREFIX}.v": verilog_of_drive(params), "vexriscv.v": core, "acg.json": graph_of(params.accelerator).to_json(),
        "drive.json": drive_covenant(params, fingerprint=graph_of(params.accelerator).fingerprint).to_json(),
        **({FIRMWARE_FILE: "".join(f"{word:08x}\n" for word in firmware_words(params))} if memory_map(params).size <= REACH else {}),
        **headers(params),
        "tenon.h": header_of(params.accelerator), "drive.ld": link_script(), "registers.md": registers_page(processor_registers(params)),
        "structures.md": f"# Structures on the wire\n\n{pages}",
    }
    with new_folder(folder, tuple(texts)) as work:
        for name, text in texts.items():
            (work / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
