"""Hardware out of a configuration: Verilog, covenant, C header, documentation, and files for the tools around it."""

from __future__ import annotations

from pathlib import Path

from tenon.acg.isa import isa_page
from tenon.flows.errors import UserError
from tenon.flows.outputs import new_folder
from tenon.flows.product import constraints, fusesoc, ipxact, litex
from tenon.flows.product.names import check_prefix
from tenon.flows.product.ports import ports_of
from tenon.flows.version import version
from tenon.hw.config import MHZ_RANGE
from tenon.hw.emit import PREFIX
from tenon.hw.params import SystolicParams
from tenon.hw.register_map import markdown
from tenon.hw.registers import registers
from tenon.tb.gateware import graph_of, header_of, verilog_of
from tenon.tb.lint import WAIVERS

__all__ = ["CLOCK_MHZ", "file_names", "generate"]

#: Of the constraints, if no other clock is asked for.
CLOCK_MHZ = 100.0

_FILES = ("{}.v", "{}.vlt", "acg.json", "{}.h", "isa.md", "registers.md", "{}.f", "{}.core", "component.xml", "{}.sdc", "{}.xdc", "{}.lpf",
          "{}_litex.py")


def file_names(prefix: str = PREFIX) -> tuple[str, ...]:
    """Every file that ``generate`` writes."""
    return tuple(name.format(prefix) for name in _FILES)


def generate(params: SystolicParams, folder: Path, *, prefix: str = PREFIX, clock_mhz: float = CLOCK_MHZ) -> list[Path]:
    """Writes the hardware of ``params`` into ``folder``; returns the files.

    Parameters
    ----------
    prefix : str
        The top module's name; names of all other modules, of files and of macros begin with it.
    clock_mhz : float
        The clock of the constraints.

    Raises
    ------
    UserError
        If ``folder`` holds something that is not ours, a design cannot call its accelerator ``prefix``, or the clock is none.
    """
    low, high = MHZ_RANGE
    if not low <= clock_mhz <= high:
        raise UserError(f"--clock-mhz must be in {low}..{high:,}, not {clock_mhz:g}")
    names = file_names(check_prefix(prefix))
    ports, config = ports_of(params), params.name
    with new_folder(folder, names) as work:
        texts = (
            verilog_of(params, prefix), WAIVERS, graph_of(params).to_json(), header_of(params, prefix), isa_page(graph_of(params)),
            markdown(registers(params)), fusesoc.file_list(prefix), fusesoc.core(prefix, config, version()),
            ipxact.component(ports, registers(params), prefix, config, version()), constraints.sdc(ports, prefix, clock_mhz),
            constraints.xdc(prefix, clock_mhz), constraints.lpf(prefix, clock_mhz), litex.wrapper(ports, prefix, config),
        )
        for name, text in zip(names, texts, strict=True):
            (work / name).write_text(text, encoding="utf-8")
    return [folder / name for name in names]
