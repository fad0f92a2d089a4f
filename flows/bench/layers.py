"""Runs networks in RTL and in the cycle model, and sets both side by side."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.flows.execution import Simulator
from tenon.flows.report import Report
from tenon.flows.run import prepare, run
from tenon.hw.presets import preset

__all__ = ["Case", "Measured", "measure"]


@dataclass(frozen=True)
class Case:
    """A model on a preset. ``goal`` says what it must reach, in words; ``met`` decides."""

    model: str
    config: str
    goal: str = ""
    least_utilization: float = 0.0
    most_cycles: int = 1 << 62

    @property
    def command(self) -> str:
        return f"tenon run {self.model} --config {self.config}"


@dataclass(frozen=True)
class Measured:
    """One case, in RTL and modelled."""

    case: Case
    rtl: Report
    model: Report

    @property
    def met(self) -> bool:
        """Nothing differs from the reference, and the goal is reached."""
        return (self.rtl.comparison.passed and self.rtl.utilization >= self.case.least_utilization
                and self.rtl.cycles <= self.case.most_cycles)

    @property
    def model_error(self) -> float:
        """Of the cycle model, relative to RTL."""
        return self.model.cycles / self.rtl.cycles - 1


def measure(case: Case) -> Measured:
    """Compiles, simulates and compares one case with the standard DRAM."""
    job = prepare(case.model, preset(case.config))
    rtl, _ = run(job, Simulator.VERILATOR)
    model, _ = run(job, Simulator.MODEL)
    return Measured(case, rtl, model)
