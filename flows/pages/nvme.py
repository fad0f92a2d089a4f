"""The page of what the drive implements of NVMe: clauses, each with its test, and structures, each row with its source."""

from __future__ import annotations

from collections import Counter

from tenon.hw.register_map import markdown as registers_page
from tenon.hw.storage.headers import LAYOUTS
from tenon.hw.storage.layout import markdown as layout_page
from tenon.hw.storage.nvme.commands import COMMANDS, CommandSet
from tenon.hw.storage.presets import drive
from tenon.hw.storage.processor_registers import processor_registers
from tenon.tb.drive.scenarios.clauses import CLAUSES

__all__ = ["nvme_page"]

_SETS = {CommandSet.ADMIN: "administration", CommandSet.NVM: "NVM", CommandSet.MEMORY: "Subsystem Local Memory",
         CommandSet.COMPUTE: "Computational Programs"}


def nvme_page() -> str:
    """The page in Markdown."""
    clauses = "\n".join(f"| {c.where} | {c.says} | `{c.name}` |" for c in CLAUSES)
    commands = "\n".join(f"| {_SETS[c.set]} | `{c.name}` | {c.opcode:#04x} | {c.layout.doc} |" for c in COMMANDS)
    marks = Counter(f.mark.value for layout in LAYOUTS for f in layout.fields)
    layouts = "\n".join(layout_page(layout) for layout in LAYOUTS)
    registers = registers_page(processor_registers(drive("tiny"))).replace("# Registers of DRIVE\n", "").replace(
        "Words of 32 bits at byte offsets of the AXI4-Lite port.", "Words of 32 bits, as the processor sees them.")
    return _PAGE.format(clauses=clauses, commands=commands, layouts=layouts, registers=registers, confirmed=marks["confirmed"],
                        ours=marks["ours"])


_PAGE = """\
# NVMe in the drive

## Clauses

Numbers are of the NVM Express Base Specification 2.2, unless another is named. Each has a test of its name in
`tb/drive/scenarios/clauses.py`, which a host runs against the RTL with its firmware, once with reads by hardware and once with all commands
sent to firmware (`tests/tb/drive/test_clauses.py`).

| where | what | test |
|---|---|---|
{clauses}

## Commands

| command set | command | opcode | |
|---|---|---|---|
{commands}

Not there: SGLs, fused commands, Compare, Verify, Copy to blocks, namespace management, protection information.

## Structures

Each row says where it was read. *Confirmed*: in a specification, or in several implementations that agree ({confirmed} rows). *Ours*: no
specification was at hand, and implementations differ or there is one ({ours} rows).

{layouts}
## Registers of the processor

{registers}"""
