"""Builds and runs the system of ``soc.sv``: firmware on a RISC-V core, the accelerator, one DRAM."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pythondata_cpu_vexriscv

from tenon.hw.params import SystolicParams
from tenon.tb import runner
from tenon.tb.rtl import Dram, Stuck, repeated_modules, write_image
from tenon.tb.soc.cross import memory_words

__all__ = ["SocResult", "build_soc", "run_soc"]

_TB = Path(__file__).resolve().parents[1]
_SOURCES = ("dram.sv", "axi_rules.sv", "soc/axi_join.sv", "soc/wishbone_axi.sv", "soc/soc.sv")
_CORE = "VexRiscv_Full.v"  # RV32IM, 4 KiB of cache each for instructions and data, wfi that waits

_SRAM = 0x7000_0000  # where the core sees its own memory
_SRAM_BYTES = 1 << 16

_COUNTS = ("register_reads", "strays", "violations")  # what the system counts


@dataclass(frozen=True)
class SocResult:
    """What a simulation did."""

    exit_code: int  # what the firmware wrote to the exit register
    cycles: int  # from the reset to that
    register_reads: int  # of the accelerator's, by the core
    regions: tuple[bytes, ...]  # of DRAM, as asked for


def build_soc(verilog: str, params: SystolicParams, *, dram_bytes: int = 1 << 26) -> runner.Build:
    """Builds the system around the text of module ``tenon``."""
    core = Path(pythondata_cpu_vexriscv.data_file(_CORE)).read_text()
    texts = {Path(name).name: (_TB / name).read_text() for name in _SOURCES}
    parameters = {"DATA_BITS": params.bus_bits, "DRAM_BYTES": dram_bytes, "SRAM_BYTES": _SRAM_BYTES}
    return runner.build({"tenon.v": verilog, "vexriscv.v": core, **texts}, "tenon_soc", parameters=parameters,
                        exposed=runner.ports_of(texts["soc.sv"], "tenon_soc"), no_inline=repeated_modules(verilog), timing=True)


def run_soc(verilog: str, params: SystolicParams, elf: bytes, *, image: Sequence[tuple[int, bytes]],
            regions: Sequence[tuple[int, int]] = (), cycle_limit: int = 2_000_000, dram: Dram | None = None) -> SocResult:
    """Boots the core with the firmware of an ELF file and simulates until it writes the exit register.

    Parameters
    ----------
    image : sequence of (address, bytes)
        What DRAM holds at the start, at the accelerator's addresses: multiples of the bus width.
    regions : sequence of (address, size)
        What to return of DRAM at the end; addresses as above.

    Raises
    ------
    tb.rtl.Stuck
        The firmware did not end within ``cycle_limit`` cycles.
    tb.runner.SimulationError
        A rule of the bus was broken, the firmware accessed addresses where nothing is, or the simulation failed.
    ValueError
        An address is not a multiple of the bus width, the firmware does not fit the core's memory, or the accelerator has more
        address bits than the core.
    """
    if params.address_bits != 32:
        raise ValueError(f"address_bits must be 32 in this system, not {params.address_bits}")
    for address, _ in (*image, *regions):
        if address % params.bus_bytes:
            raise ValueError(f"address must be a multiple of the bus width, {params.bus_bytes}, not {address:#x}")
    words = memory_words(elf, _SRAM)
    if 4 * len(words) > _SRAM_BYTES:
        raise ValueError(f"the firmware has {4 * len(words)} bytes; the core's memory has {_SRAM_BYTES}")
    built = build_soc(verilog, params)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenon-soc-")))
        write_image(folder, image, params.bus_bytes)
        (folder / "firmware.hex").write_text("".join(f"{word:08x}\n" for word in words))
        (folder / "dump.txt").write_text("".join(f"{a} {n} region{i}.bin\n" for i, (a, n) in enumerate(regions)))
        job = folder / "job.json"
        job.write_text(json.dumps({"cycle_limit": cycle_limit, "counts": _COUNTS, "result": str(folder / "result.json")}))
        plusargs = ["+dram_image=image.txt", "+dram_dump=dump.txt", "+firmware=firmware.hex", *(dram or Dram()).plusargs()]
        log = runner.simulate(built, "tenon.tb.soc.bench", plusargs=plusargs, folder=folder, env={"TENON_SOC_JOB": str(job)})
        result = json.loads((folder / "result.json").read_text())
        if result["violations"]:
            broken = "\n".join([line for line in log.splitlines() if " axi: " in line][:5])
            raise runner.SimulationError(f"rules of the bus were broken {result['violations']} times:\n{broken}")
        if result["strays"]:
            raise runner.SimulationError(f"the firmware accessed addresses where nothing is {result['strays']} times")
        if not result["ended"]:
            raise Stuck(f"the firmware did not end within {cycle_limit} cycles")
        contents = tuple((folder / f"region{i}.bin").read_bytes()[:size] for i, (_, size) in enumerate(regions))
        return SocResult(result["exit_code"], result["cycles"], result["register_reads"], contents)
