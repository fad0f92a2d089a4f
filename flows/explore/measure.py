"""A point measured: its Verilog synthesised, its networks run in RTL simulation and compared with the reference bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tenon.compiler.mapping import NetworkMapping
from tenon.flows.compile import compile_source
from tenon.flows.errors import UserError
from tenon.flows.execution import Simulator
from tenon.flows.explore.point import Effort, Workload, compiled, version_of
from tenon.flows.hardware.analysis import design_of
from tenon.flows.hardware.area import Area, ModuleArea, area_of
from tenon.flows.hardware.kept import kept
from tenon.flows.run import job_of, run
from tenon.flows.source import open_source
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of

__all__ = ["Measured", "NetworkRun", "TECHNOLOGY", "measure"]

TECHNOLOGY = "ecp5"
_SOURCES = ("acg", "compiler", "hw", "tb", "flows/hardware")


@dataclass(frozen=True)
class NetworkRun:
    """A network in RTL. ``mappings`` and ``report``: JSON as ``tenon tune -o`` and ``tenon run --json`` write it."""

    cycles: int
    elements: int
    mismatches: int
    mappings: str
    report: str


@dataclass(frozen=True)
class Measured:
    """``runs`` by network; ``area`` by synthesis."""

    params: SystolicParams
    runs: dict[str, NetworkRun]
    area: Area

    @property
    def equal(self) -> bool:
        """Whether all that must be equal to the reference is."""
        return not any(r.mismatches for r in self.runs.values())

    def to_fields(self) -> dict:
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: dict) -> Measured:
        area = fields["area"]
        return cls(SystolicParams.from_dict(fields["params"]), {name: NetworkRun(**r) for name, r in fields["runs"].items()},
                   Area(**{**area, "modules": tuple(ModuleArea(**m) for m in area["modules"]), "total": ModuleArea(**area["total"])}))


def measure(params: SystolicParams, workloads: Sequence[Workload], effort: Effort) -> Measured:
    """Measures a point on whose networks ``evaluate`` found cycles; done once for the same sources, and kept.

    Raises
    ------
    UserError, SimulationError, BuildError
        If a tool is missing, or the hardware does not come to an end.
    """
    recipe = [version_of(_SOURCES), params.to_dict(), [w.digest for w in workloads], asdict(effort)]
    return Measured.from_fields(kept("measured", recipe, lambda: _measured(params, workloads, effort).to_fields()))


def _measured(params: SystolicParams, workloads: Sequence[Workload], effort: Effort) -> Measured:
    area = area_of(design_of(params), params.name, TECHNOLOGY)
    return Measured(params, {w.name: _run(params, w, effort) for w in workloads}, area)


def _run(params: SystolicParams, workload: Workload, effort: Effort) -> NetworkRun:
    mapping: NetworkMapping = compiled(params, workload, effort)[1]
    source = open_source(workload.model)
    program = compile_source(source, graph_of(params), schedule=effort.schedule, on_chip=effort.on_chip, mapping=mapping)
    report, _ = run(job_of(program, params, source, 1), Simulator.VERILATOR)
    if report.comparison is None or report.cycles is None:
        raise UserError(f"{workload.name} on {params.name}: nothing was compared")
    return NetworkRun(report.cycles, report.comparison.total.elements, report.comparison.exact.mismatches, mapping.to_json(),
                      report.to_json())
