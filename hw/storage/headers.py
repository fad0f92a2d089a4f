"""What firmware includes: registers, structures on the wire, codes and geometry of a drive, as C."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.hw.register_map import c_header as register_header
from tenon.hw.storage.flash.channel import FlashOp
from tenon.hw.storage.flash.unit_reader import UnitStatus
from tenon.hw.storage.guard import Window
from tenon.hw.storage.layout import Layout
from tenon.hw.storage.layout import c_header as layout_header
from tenon.hw.storage.map_unit import GONE, NOWHERE, MapOp
from tenon.hw.storage.memory_map import MOVED_UNITS, memory_map
from tenon.hw.storage.moves import MoveKind
from tenon.hw.storage.nvme import commands, entries, identify, logs, registers
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams
from tenon.hw.storage.processor import ACCELERATOR, DRAM, FIRMWARE_BYTES, REGISTERS, SRAM
from tenon.hw.storage.processor_registers import PROCESSOR_ID, processor_registers
from tenon.hw.storage.prp import PAGE_BYTES

__all__ = ["LAYOUTS", "headers", "link_script"]

#: Every structure on the wire.
LAYOUTS: tuple[Layout, ...] = (
    entries.SUBMISSION, entries.COMPLETION, *(c.layout for c in commands.COMMANDS), commands.DATASET_RANGE, commands.COPY_SOURCE_BLOCKS,
    commands.COPY_SOURCE_BYTES, commands.MEMORY_RANGE, identify.CONTROLLER, identify.NVM_NAMESPACE, identify.INDEPENDENT_NAMESPACE,
    identify.MEMORY_NAMESPACE, identify.COMPUTE_NAMESPACE, identify.DESCRIPTOR_HEAD, logs.EFFECT, logs.ERROR_ENTRY, logs.SMART,
    logs.PROGRAM_DESCRIPTOR, logs.COUNTERS, registers.CONTROLLER_REGISTERS,
)


def headers(params: StorageParams) -> dict[str, str]:
    """C headers by file name."""
    constants = {"ID_VALUE": PROCESSOR_ID, **{f"KIND_{kind.name}": kind.value for kind in MoveKind},
                 **{f"OP_{op.name}": op.value for op in FlashOp},
                 **{f"MAP_{op.name}": op.value for op in MapOp}, **{f"UNIT_{status.name}": status.value for status in UnitStatus},
                 **{f"WINDOW_{window.name}": window.value for window in Window}}
    return {
        "drive_registers.h": register_header(processor_registers(params), constants),
        "nvme_wire.h": layout_header("NVME_WIRE_H", LAYOUTS),
        "nvme_codes.h": _definitions("NVME_CODES_H", "NVMe: opcodes, statuses (bits above the phase), structures, logs.", _codes()),
        "drive_geometry.h": _definitions("DRIVE_GEOMETRY_H", f"Numbers of the drive {params.name}.", _geometry(params)),
    }


def link_script() -> str:
    """The linker's script: everything lies in the processor's own memory."""
    return _LINK_SCRIPT.replace("ORIGIN_", f"{SRAM:#x}").replace("LENGTH_", f"{FIRMWARE_BYTES:#x}")


_LINK_SCRIPT = """\
ENTRY(_start)
MEMORY { ram (rwx) : ORIGIN = ORIGIN_, LENGTH = LENGTH_ }
SECTIONS
{
    .text : { *(.text.start) *(.text .text.*) *(.rodata .rodata.* .srodata .srodata.*) } > ram
    .data : ALIGN(4) { *(.data .data.* .sdata .sdata.*) } > ram
    .bss (NOLOAD) : ALIGN(4) { bss_start = .; *(.sbss .sbss.* .bss .bss.* COMMON) . = ALIGN(4); bss_end = .; } > ram
    stack_top = ORIGIN(ram) + LENGTH(ram);
    /DISCARD/ : { *(.eh_frame*) *(.comment) *(.riscv.attributes) }
}
"""


def _codes() -> dict[str, int]:
    values = {f"OPCODE_{c.name}": c.opcode for c in commands.COMMANDS}
    values |= {f"CSI_{s.name}": s.value for s in commands.CommandSet if s.value >= 0}
    values |= {f"STATUS_{s.name}": s.word() for s in Status}
    for prefix, kind in (("NAMESPACE", commands.Namespace), ("CNS", identify.CNS), ("DESCRIPTOR", identify.DescriptorType),
                         ("LOG", logs.Log), ("FEATURE", logs.Feature), ("EVENT", logs.EventType)):
        values |= {f"{prefix}_{code.name}": code.value for code in kind}
    return {f"NVME_{name.upper()}": value for name, value in values.items()} | {
        "NVME_VERSION": registers.VERSION, "NVME_PCI_VENDOR": registers.PCI_VENDOR}


def _geometry(params: StorageParams) -> dict[str, int]:
    values = {
        "QUEUES": params.queues, "QUEUE_ENTRIES": params.queue_entries, "SLOTS": params.slots, "VECTORS": params.vectors,
        "NAMESPACES": len(commands.Namespace), "UNIT_BYTES": UNIT_BYTES, "UNITS": params.units, "HOST_PAGE_BYTES": PAGE_BYTES,
        "TRANSFER_PAGES": TRANSFER_PAGES,
        "PROGRAM_SLOTS": params.program_slots, "PROGRAM_BYTES": params.program_bytes, "RANGE_SETS": params.range_sets,
        "RAM_BLOCKS": params.ram_blocks, "CHANNELS": params.channels, "DIES": params.dies, "ALL_DIES": params.all_dies,
        "SUPERBLOCKS": params.blocks * params.planes, "PAGES": params.pages, "PAGE_UNITS": params.page_units, "RAW_UNITS": params.raw_units,
        "MOVED_UNITS": MOVED_UNITS, "BUS_BYTES": params.memory_bits // 8,
        "MAP_NOWHERE": NOWHERE, "MAP_GONE": GONE,
        "REGISTERS_AT": REGISTERS, "ACCELERATOR_AT": ACCELERATOR, "DRAM_AT": DRAM,
    }
    for region in memory_map(params).regions:
        values |= {f"{region.name}_BASE": region.base, f"{region.name}_BYTES": region.size}
    return {f"DRIVE_{name}": value for name, value in values.items()}


def _definitions(guard: str, doc: str, values: Mapping[str, int]) -> str:
    def literal(value: int) -> str:
        return f"{value:#x}u" if value < 1 << 32 else f"UINT64_C({value:#x})"

    lines = [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "", f"/* {doc} */"]
    return "\n".join([*lines, *(f"#define {name} {literal(value)}" for name, value in values.items()), "", "#endif", ""])
