"""Hardware out of a configuration: Verilog, covenant, C header and documentation."""

from __future__ import annotations

from pathlib import Path

from tenon.acg.isa import isa_page
from tenon.acg.mnemonic import INSTRUCTION_BYTES
from tenon.flows.outputs import new_folder
from tenon.hw.covenant import SEGMENTS
from tenon.hw.params import SystolicParams
from tenon.hw.register_map import c_header, markdown
from tenon.hw.registers import COUNTERS, ENGINES, ID, VERSION, ErrorCode, registers
from tenon.tb.gateware import graph_of, verilog_of
from tenon.tb.lint import WAIVERS

__all__ = ["FILES", "generate", "header_of"]

#: Every file that ``generate`` writes.
FILES = ("tenon.v", "tenon.vlt", "acg.json", "tenon.h", "isa.md", "registers.md")


def header_of(params: SystolicParams) -> str:
    """The C header that a driver includes."""
    constants = {"ID_VALUE": ID, "VERSION_VALUE": VERSION, "FINGERPRINT_VALUE": int(graph_of(params).fingerprint[:8], 16)}
    constants |= {"INSTRUCTION_BYTES": INSTRUCTION_BYTES} | {f"ERROR_{code.name}": code.value for code in ErrorCode}
    for kind, names in (("SEGMENT", SEGMENTS), ("ENGINE", ENGINES), ("COUNTER", COUNTERS)):
        constants |= {f"{kind}_{name}": index for index, name in enumerate(names)}
    return c_header(registers(params), constants)


def generate(params: SystolicParams, folder: Path) -> list[Path]:
    """Writes the hardware of ``params`` into ``folder``; returns the files.

    Raises
    ------
    UserError
        If ``folder`` holds something that is not ours.
    """
    with new_folder(folder, FILES) as work:
        texts = (verilog_of(params), WAIVERS, graph_of(params).to_json(), header_of(params), isa_page(graph_of(params)),
                 markdown(registers(params)))
        for name, text in zip(FILES, texts, strict=True):
            (work / name).write_text(text, encoding="utf-8")
    return [folder / name for name in FILES]
