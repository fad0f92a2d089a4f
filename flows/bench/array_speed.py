"""Simulation speed of the bare systolic array, to hold the whole system's against."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tenon.hw import emit
from tenon.hw.array import SystolicArray
from tenon.hw.params import SystolicParams
from tenon.tb import runner

__all__ = ["array_cycles_per_second"]


def array_cycles_per_second(params: SystolicParams, cycles: int = 500_000) -> float:
    """Cycles simulated in a second with new operands in every cycle."""
    text = emit.verilog(SystolicArray(params.rows, params.cols), "tenon_array")
    bench = (Path(__file__).parent / "array_speed.sv").read_text()
    built = runner.build({"array.v": text, "array_speed.sv": bench}, "array_speed", timing=True,
                         exposed=runner.ports_of(bench, "array_speed"), no_inline=["tenon_systolic_row"],
                         parameters={"ROWS": params.rows, "COLS": params.cols, "CYCLES": cycles})
    with tempfile.TemporaryDirectory(prefix="tenon-array-") as folder:
        seconds = Path(folder) / "seconds"
        runner.simulate(built, "tenon.flows.bench.array_bench", env={"TENON_SECONDS": str(seconds)})
        return cycles / float(seconds.read_text())
