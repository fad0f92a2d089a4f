"""A point of an exploration by models alone: cycles of compiled programs by the event model, without any RTL."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tenon.compiler.errors import CompileError
from tenon.compiler.ir import Graph
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.network import Network
from tenon.compiler.timing import time_program
from tenon.flows.compile import read_source
from tenon.flows.energy import energy_of
from tenon.flows.energy_table import EnergyTable
from tenon.flows.errors import UserError
from tenon.flows.hardware.kept import kept
from tenon.flows.source import open_source
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of

__all__ = ["Effort", "Point", "Workload", "compiled", "evaluate", "version_of", "workload_of"]

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = ("acg", "compiler", "hw", "flows/energy.py", "flows/energy_table.py")  # what a point depends on


@dataclass(frozen=True)
class Workload:
    """A network by what the user calls it, and a hash of it: whoever computes a point opens it himself."""

    model: str
    name: str
    digest: str


@dataclass(frozen=True)
class Effort:
    """How networks are compiled for every point, as ``compile_graph`` has it."""

    mappings: int = 4
    schedule: str = "optimal"
    on_chip: bool = False


@dataclass(frozen=True)
class Point:
    """What models say of a configuration. ``cycles``, and ``energy_uj``, by network; empty where one cannot be compiled, for that
    ``reason``."""

    params: SystolicParams
    cycles: dict[str, int]
    energy_uj: dict[str, float]
    reason: str = ""
    seconds: float = 0.0  # of the processor, when it was computed

    def to_fields(self) -> dict:
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: dict) -> Point:
        return cls(**{**fields, "params": SystolicParams.from_dict(fields["params"])})


def workload_of(model: str) -> Workload:
    """The workload that a user names.

    Raises
    ------
    CompileError
        If there is no such model, or it is not supported.
    """
    graph, name, digest = _opened(model)
    return Workload(model, name, digest)


def evaluate(params: SystolicParams, workloads: Sequence[Workload], effort: Effort, table: EnergyTable) -> Point:
    """The point of ``params``; computed once for the same sources, and kept."""
    recipe = [version_of(_SOURCES), params.to_dict(), [w.digest for w in workloads], asdict(effort), table.fields()]
    return Point.from_fields(kept("point", recipe, lambda: _evaluated(params, workloads, effort, table).to_fields()))


def compiled(params: SystolicParams, workload: Workload, effort: Effort) -> tuple[Network, NetworkMapping]:
    """The network laid out on ``params``, and the mappings that ``evaluate`` times.

    Raises
    ------
    CompileError
        If a layer does not fit.
    UserError
        If the model is another one here.
    """
    graph, _, digest = _opened(workload.model)
    if digest != workload.digest:
        raise UserError(f"{workload.model}: is another model where it is to be computed; workers read models by the same names")
    network = Network(graph, graph_of(params), schedule=effort.schedule, on_chip=effort.on_chip)
    return network, NetworkMapping({layer.name: network.searched(n, effort.mappings) for n, layer in enumerate(network.layers)})


def _evaluated(params: SystolicParams, workloads: Sequence[Workload], effort: Effort, table: EnergyTable) -> Point:
    began = time.process_time()
    cycles: dict[str, int] = {}
    energy: dict[str, float] = {}
    for workload in workloads:
        try:
            network, mapping = compiled(params, workload, effort)
            program = network.program(mapping.layers)
        except CompileError as error:
            return Point(params, {}, {}, f"{workload.name}: {error}", time.process_time() - began)
        cycles[workload.name] = time_program(program.covenant, program.instructions).cycles
        energy[workload.name] = energy_of(program, table, cycles=cycles[workload.name]).uj
    return Point(params, cycles, energy, "", time.process_time() - began)


@cache
def _opened(model: str) -> tuple[Graph, str, str]:
    source = open_source(model)
    graph, _ = read_source(source)
    return graph, source.name, hashlib.sha256(source.model.SerializeToString(deterministic=True)).hexdigest()[:16]


@cache
def version_of(sources: tuple[str, ...]) -> str:
    """A hash of files and folders of the tree, but for the drive's: what is kept of them holds as long as they stay the same."""
    digest = hashlib.sha256()
    for name in sources:
        there = _ROOT / name
        files = (p for p in (there.rglob("*") if there.is_dir() else [there]) if p.suffix in (".py", ".cpp", ".sv"))
        for path in sorted(p for p in files if not {"storage", "drive"} & set(p.relative_to(_ROOT).parts)):
            digest.update(str(path.relative_to(_ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
