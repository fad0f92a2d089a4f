"""Builds and runs the system of ``drive_system.sv``: a drive, its firmware and DRAM, and a host."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pythondata_cpu_vexriscv

from tenon.hw.storage.covenant import CLOCK_NS, HOST_LATENCY
from tenon.hw.storage.drive import DRIVE_PREFIX, drive_verilog
from tenon.hw.storage.memory_map import memory_map
from tenon.hw.storage.nvme.registers import PCI_DEVICE, PCI_VENDOR
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor import FIRMWARE_FILE
from tenon.tb import runner
from tenon.tb.drive.firmware import firmware_words
from tenon.tb.drive.memory import MESSAGES, Arena, lay_out
from tenon.tb.gateware import graph_of
from tenon.tb.rtl import Dram, repeated_modules

__all__ = ["ARENAS", "PERIOD_NS", "build_drive", "part_names", "run_drive", "verilog_of_drive"]

_TB = Path(__file__).resolve().parents[1]
_SOURCES = ("dram.sv", "axi_rules.sv", "drive/nand.sv", "drive/nand.cpp", "drive/host_memory.sv", "drive/tracks.sv", "drive/host_memory.h",
            "drive/host_memory.cpp", "drive/link.cpp", "drive/drive_system.sv")
_CORE = "VexRiscv_Full.v"

PERIOD_NS = CLOCK_NS

#: Where the host's memory lies: low, high, and where interrupts go.
ARENAS = (Arena(0x0010_0000, 1024), Arena(0x12_3400_0000, 512), Arena(0x00F0_0000_0000_0000, 512), Arena(MESSAGES, 1))


@cache
def verilog_of_drive(params: StorageParams) -> str:
    """The drive's Verilog, with the fingerprint of its accelerator's covenant."""
    return drive_verilog(params, fingerprint=int(graph_of(params.accelerator).fingerprint[:8], 16))


def build_drive(params: StorageParams, *, link: bool = False) -> runner.Build:
    """A simulator of the drive, in the cache; with ``link``, for a guest."""
    texts = {Path(name).name: (_TB / name).read_text() for name in _SOURCES}
    verilog = verilog_of_drive(params)
    core = Path(pythondata_cpu_vexriscv.data_file(_CORE)).read_text()
    size = 1 << (memory_map(params).size - 1).bit_length()
    parameters = {"HOST_BITS": params.host_bits, "MEMORY_BITS": params.memory_bits, "ADDRESS_BITS": params.address_bits, "DRAM_BYTES": size,
                  "PERIOD_NS": PERIOD_NS, "LINK": int(link), "VECTORS": params.vectors,
                  "IDENTIFIERS": PCI_DEVICE << 16 | PCI_VENDOR, "CHANNELS": params.channels, "DIES": params.dies,
                  "WORD_BYTES": params.flash_bytes_per_cycle, "PAGE_BYTES": params.page_bytes + params.spare_bytes, "PAGES": params.pages,
                  "BLOCKS": params.blocks * params.planes, "READ_NS": params.read_ns, "PROGRAM_NS": params.program_ns,
                  "ERASE_NS": params.erase_ns}
    return runner.build({f"{DRIVE_PREFIX}.v": verilog, "vexriscv.v": core, **texts}, "tenon_drive_system", parameters=parameters,
                        exposed=runner.ports_of(texts["drive_system.sv"], "tenon_drive_system"), no_inline=repeated_modules(verilog),
                        timing=True)


def part_names(params: StorageParams) -> list[str]:
    """The parts of a drive that ``tracks.sv`` watches."""
    dies = [f"die {die}, bus {channel}" for channel in range(params.channels) for die in range(params.dies)]
    return [*dies, *(f"flash bus {channel}" for channel in range(params.channels)), "host read", "host write", "memory read",
            "memory write"]


def run_drive(params: StorageParams, scenario: str, *, arguments: dict | None = None, arenas: Sequence[Arena] = ARENAS,
              dram: Dram | None = None, host_latency: int = HOST_LATENCY, host_stall: int = 0, seed: int = 1, nand: Sequence[str] = (),
              tracks: bool = False) -> dict:
    """Runs ``scenario`` ("module:function", a coroutine of a ``Host``) and returns what it returns.

    Parameters
    ----------
    arguments : dict
        For the scenario; JSON.
    host_latency, host_stall : int
        Cycles until the host's memory answers; percent of cycles in which each of its channels stalls.
    nand : sequence of str
        Plusargs of ``nand.sv``.
    tracks : bool
        Whether ``tracks`` of what is returned has (part, begin, end) in cycles for each time that a part was in use.

    Raises
    ------
    tb.runner.SimulationError
        If the scenario fails, or the drive did what it must not do.
    """
    built = build_drive(params)
    words = firmware_words(params)
    with tempfile.TemporaryDirectory(prefix="tenon-drive-") as name:
        folder = Path(name)
        (folder / FIRMWARE_FILE).write_text("".join(f"{word:08x}\n" for word in words))
        plusargs = [*lay_out(folder, arenas), f"+host_latency={host_latency}", f"+host_stall={host_stall}", f"+host_seed={seed}",
                    *(dram or Dram()).plusargs(), *nand, *(["+tracks=tracks.txt"] if tracks else [])]
        job = folder / "job.json"
        job.write_text(json.dumps({"scenario": scenario, "arguments": arguments or {}, "arenas": [[a.base, a.pages] for a in arenas],
                                   "seed": seed, "result": str(folder / "result.json")}))
        log = runner.simulate(built, "tenon.tb.drive.bench", plusargs=plusargs, folder=folder, env={"TENON_DRIVE_JOB": str(job)}, seed=seed)
        broken = [line for line in log.splitlines() if line.startswith(("host:", "nand: die")) or " axi: " in line]
        if broken:
            raise runner.SimulationError("\n".join(broken[:10]))
        found = json.loads((folder / "result.json").read_text())
        if tracks:
            names = part_names(params)
            lines = (line.split() for line in (folder / "tracks.txt").read_text().splitlines())
            found["tracks"] = [(names[int(part)], int(begin), int(end)) for part, begin, end in lines]
        return found
