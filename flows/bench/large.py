"""``python -m tenon.flows.bench.large``: a 128 x 128 accelerator: its Verilog, its simulator, and a layer on it."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import UserError, user_errors
from tenon.flows.execution import Simulator
from tenon.flows.run import prepare, run
from tenon.hw.params import SystolicParams
from tenon.tb import toolchain
from tenon.tb.gateware import emitted
from tenon.tb.rtl import build_system, repeated_modules

__all__ = ["LARGE", "MODEL", "Large", "measure_large"]

_MIB = 1 << 20

LARGE = SystolicParams(name="edge128", rows=128, cols=128, lanes=128, bus_bits=512, activation_bytes=_MIB, weight_bytes=_MIB,
                       accumulator_bytes=4 * _MIB, vector_bytes=_MIB, parameter_bytes=_MIB // 8)
MODEL = "zoo:gemm_128x768x768"


@dataclass(frozen=True)
class Large:
    """Seconds by the clock for Verilog, of CPU for ``verilator --cc`` and for the whole simulator; the layer's cycles and elements."""

    verilog_seconds: float
    characters: int
    translate_seconds: float
    build_seconds: float
    cycles: int
    elements: int
    mismatches: int


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_large(progress: Callable[[str], None]) -> Large:
    """Everything from the beginning, but for a simulator that is built already, which then counts as 0 seconds.

    Raises
    ------
    UserError
        If Verilator refuses the Verilog.
    """
    progress("Verilog of 128 x 128")
    began = time.perf_counter()
    text = emitted(LARGE)
    verilog_seconds = time.perf_counter() - began
    progress("verilator --cc")
    began = _children()
    _translate(text)
    translate_seconds = _children() - began
    progress("its simulator")
    began = _children()
    build_system(text, LARGE)
    build_seconds = _children() - began
    progress(f"{MODEL} on it")
    report, _ = run(prepare(MODEL, LARGE, runs=1), Simulator.VERILATOR)
    return Large(verilog_seconds, len(text), translate_seconds, build_seconds, report.cycles,
                 report.comparison.total.elements, report.comparison.total.mismatches)


def _translate(text: str) -> None:
    """``verilator --cc`` of the accelerator by itself, without modules that are there many times being taken apart."""
    with tempfile.TemporaryDirectory(prefix="tenon-large-") as folder:
        work = Path(folder)
        (work / "tenon.v").write_text(text, encoding="utf-8")
        many = [f'no_inline -module "{name}"' for name in repeated_modules(text)]
        (work / "control.vlt").write_text("\n".join(["`verilator_config", *many, ""]), encoding="utf-8")
        done = subprocess.run(["verilator", "--cc", "-O3", "-Wno-fatal", "-Wno-lint", "--no-timing", "--top-module", "tenon", "control.vlt",
                               "tenon.v"], cwd=work, env=toolchain.child_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"verilator --cc refuses the Verilog of {LARGE.name}: {done.stderr.splitlines()[-1]}")


def main() -> None:
    quiet()
    with user_errors():
        found = measure_large(say)
    click.echo(f"Verilog: {found.verilog_seconds:.0f} s, {found.characters / 1e6:.1f} MB\n"
               f"verilator --cc: {found.translate_seconds:.0f} CPU seconds; all of the simulator {found.build_seconds:.0f}\n"
               f"{MODEL}: {found.cycles:,} cycles, {found.mismatches} of {found.elements:,} elements differ")


if __name__ == "__main__":
    main()
