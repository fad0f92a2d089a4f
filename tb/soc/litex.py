"""A system that LiteX builds around the accelerator, by the wrapper that ``tenon generate`` writes, and its simulation."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pythondata_cpu_vexriscv

from tenon.hw.emit import PREFIX
from tenon.tb import runner
from tenon.tb.rtl import Stuck, repeated_modules
from tenon.tb.soc.cross import memory_words

__all__ = ["MAIN_RAM", "LitexSystem", "build_litex", "run_litex"]

#: Where CPU and accelerator see the main memory, and where the CPU sees the accelerator's registers.
MAIN_RAM, _REGISTERS = 0x4000_0000, 0x8000_0000

_ROM_BYTES, _MAIN_RAM_BYTES = 1 << 15, 1 << 18
_TOP = "litex_soc"


@dataclass(frozen=True)
class LitexSystem:
    """Verilog of a system by file name, and the headers that its firmware includes."""

    verilog: Mapping[str, str]
    headers: Mapping[str, str]


def build_litex(product: Path, prefix: str = PREFIX) -> LitexSystem:
    """A VexRiscv core, ROM, SRAM and main memory on LiteX's bus, with the accelerator of the folder ``product``."""
    from litex.build.generic_platform import GenericPlatform, Pins
    from litex.soc.integration.export import get_csr_header, get_mem_header, get_soc_header
    from litex.soc.integration.soc_core import SoCCore
    from litex.soc.interconnect.csr import CSRStorage
    from migen import ClockDomain, Module

    io = [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("ended", 0, Pins(1)), ("exit_code", 0, Pins(32))]

    class Clocks(Module):
        def __init__(self, platform):
            self.clock_domains.cd_sys = ClockDomain()
            self.comb += [self.cd_sys.clk.eq(platform.request("clk")), self.cd_sys.rst.eq(platform.request("rst"))]

    class System(SoCCore):
        def __init__(self, platform):
            self.submodules.crg = Clocks(platform)
            SoCCore.__init__(self, platform, 100_000_000, cpu_type="vexriscv", cpu_variant="full", with_uart=False, with_timer=False,
                             integrated_rom_size=_ROM_BYTES, integrated_rom_init=[0], integrated_sram_size=1 << 13,
                             integrated_main_ram_size=_MAIN_RAM_BYTES, integrated_main_ram_init=[0])
            accelerator = _wrapper(product, prefix)(platform)
            setattr(self.submodules, prefix, accelerator)
            accelerator.add_to(self, prefix, origin=_REGISTERS)
            self.exit = CSRStorage(32)
            self.add_csr("exit")
            ended = platform.request("ended")
            self.sync += ended.eq(ended | self.exit.re)
            self.comb += platform.request("exit_code").eq(self.exit.storage)

    platform = GenericPlatform("simulated", io, name=_TOP)
    soc = System(platform)
    soc.finalize()
    text = platform.get_verilog(soc, name=_TOP).main_source
    text = re.sub(r"^//.*\n", "", text, flags=re.M)  # among them the date, which would make every build another one
    text = f"// verilator lint_off COMBDLY\n{text}"  # LiteX writes combinational processes so
    core = Path(pythondata_cpu_vexriscv.data_file("VexRiscv_Full.v")).read_text()
    verilog = {"litex_soc.v": text, "vexriscv.v": core, f"{prefix}.v": (product / f"{prefix}.v").read_text()}
    headers = {"csr.h": get_csr_header(soc.csr_regions, soc.constants, with_access_functions=False),
               "mem.h": get_mem_header(soc.mem_regions), "soc.h": get_soc_header(soc.constants, with_access_functions=False)}
    return LitexSystem(verilog, headers)


def run_litex(system: LitexSystem, elf: bytes, main_ram: bytes, *, cycle_limit: int = 2_000_000) -> tuple[int, int, bytes]:
    """Boots the core with the firmware of an ELF file; returns (exit code, cycles, the main memory at the end).

    Raises
    ------
    tb.rtl.Stuck
        The firmware did not end within ``cycle_limit`` cycles.
    tb.runner.SimulationError
        The simulation failed.
    """
    top = (Path(__file__).parent / "litex_system.sv").read_text()
    built = runner.build({**system.verilog, "litex_system.sv": top}, "tenon_litex_system", timing=True,
                         no_inline=repeated_modules("".join(system.verilog.values())))
    with tempfile.TemporaryDirectory(prefix="tenon-litex-") as name:
        folder = Path(name)
        words = struct.unpack(f"<{len(main_ram) // 4}I", main_ram)
        for memory, contents in (("rom", memory_words(elf, 0)), ("sram", [0]), ("main_ram", words)):
            (folder / f"{_TOP}_{memory}.init").write_text("".join(f"{word:08x}\n" for word in contents))
        job = folder / "job.json"
        job.write_text(json.dumps({"cycle_limit": cycle_limit, "counts": [], "result": str(folder / "result.json")}))
        runner.simulate(built, "tenon.tb.soc.bench", plusargs=["+dump=dump.hex"], folder=folder, env={"TENON_SOC_JOB": str(job)})
        result = json.loads((folder / "result.json").read_text())
        if not result["ended"]:
            raise Stuck(f"the firmware did not end within {cycle_limit} cycles")
        dumped = [int(word, 16) for word in (folder / "dump.hex").read_text().split() if not word.startswith(("@", "//"))]
        return result["exit_code"], result["cycles"], struct.pack(f"<{len(dumped)}I", *dumped)


def _wrapper(product: Path, prefix: str):
    """The class of the module ``PREFIX_litex.py``."""
    spec = importlib.util.spec_from_file_location(f"{prefix}_litex", product / f"{prefix}_litex.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return next(value for name, value in vars(module).items() if getattr(value, "__module__", "") == spec.name and not name.startswith("_"))
