"""What a run prints and writes: totals, and a line for each layer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import onnx

from compiler.program import LayerRecord, Program
from flows.comparison import REFERENCE, Comparison
from flows.execution import Execution, Simulator
from flows.version import version

__all__ = ["Accuracy", "LayerLine", "Report", "layer_lines", "report_of"]

_CAUSES = ("TOKEN", "BANK", "BUS", "EMPTY")


@dataclass(frozen=True)
class LayerLine:
    """A layer in the first run. ``cycles`` from the end of the layer before it; ``stalls`` of its engine, by cause.

    None: the simulator does not know.
    """

    name: str
    op: str
    engine: str
    cycles: int | None
    macs: int
    bound_cycles: int
    stalls: Mapping[str, int] | None

    def utilization(self, peak: int) -> float | None:
        """Share of the array's multiply-accumulates that were used."""
        return self.macs / (self.cycles * peak) if self.cycles and self.macs else None


@dataclass(frozen=True)
class Accuracy:
    """Right answers among ``images`` test images."""

    images: int
    network: int
    reference: int


@dataclass(frozen=True)
class Report:
    """Everything about one run of the command; cycles, beats and layers are those of the first of its ``runs``."""

    config: str
    model: str
    simulator: str
    runs: int
    total_cycles: int | None
    cycles: int | None
    macs: int
    peak_macs_per_cycle: int
    dram_read_bytes: int | None
    dram_write_bytes: int | None
    comparison: Comparison | None
    wall_seconds: float
    layers: tuple[LayerLine, ...]
    accuracy: Accuracy | None

    @property
    def utilization(self) -> float | None:
        return self.macs / (self.cycles * self.peak_macs_per_cycle) if self.cycles else None

    @property
    def cycles_per_second(self) -> float | None:
        """Simulated cycles in a second of wall-clock time."""
        return self.total_cycles / self.wall_seconds if self.total_cycles and self.wall_seconds else None

    def to_json(self) -> str:
        """The report for other tools; the names are an interface. Null: the simulator does not know."""
        compared = self.comparison
        total = compared.total if compared else None
        fields = {
            "tenon": version(), "config": self.config, "model": self.model, "simulator": self.simulator,
            "runs": self.runs, "cycles": self.cycles, "total_cycles": self.total_cycles, "macs": self.macs,
            "peak_macs_per_cycle": self.peak_macs_per_cycle, "utilization": self.utilization,
            "dram_read_bytes": self.dram_read_bytes, "dram_write_bytes": self.dram_write_bytes,
            "reference": REFERENCE if compared else None, "outputs_compared": total.elements if total else 0,
            "mismatches": total.mismatches if total else 0, "max_abs_diff": total.max_abs_diff if total else 0,
            "classes": {kind: asdict(getattr(compared, kind)) for kind in ("exact", "step", "after")} if compared else None,
            "undefined": compared.undefined if compared else 0,
            "accuracy": asdict(self.accuracy) if self.accuracy else None,
            "wall_seconds": self.wall_seconds, "cycles_per_second": self.cycles_per_second,
            "layers": [asdict(layer) for layer in self.layers],
        }
        return json.dumps(fields, indent=1) + "\n"


def report_of(program: Program, model: onnx.ModelProto, name: str, simulator: Simulator, execution: Execution, runs: int, *,
              comparison: Comparison | None, accuracy: Accuracy | None) -> Report:
    """Sums up ``runs`` of ``program``."""
    covenant = program.covenant
    beats = [execution.counters.get(name) for name in ("READ_BEATS", "WRITE_BEATS")]
    read, written = (None if n is None else n * covenant.bus_bytes for n in beats)
    cycles = execution.cycles
    return Report(covenant.name, name, simulator.value, runs, sum(cycles) if cycles else None, cycles[0] if cycles else None,
                  sum(layer.macs for layer in program.layers), covenant.peak_macs_per_cycle, read, written, comparison,
                  execution.wall_seconds, layer_lines(program, model, execution), accuracy)


def layer_lines(program: Program, model: onnx.ModelProto, execution: Execution) -> tuple[LayerLine, ...]:
    """Attributes every cycle of the first run to a layer, from the time stamps at the layers' ends."""
    operators = {node.name or node.output[0]: node.op_type for node in model.graph.node}
    stamps = {stamp.mark: stamp for stamp in execution.stamps}
    lines: list[LayerLine] = []
    before, counted = 0, {}
    for number, layer in enumerate(program.layers):
        cycles = stalls = None
        stamp = stamps.get(layer.mark)
        last = number == len(program.layers) - 1
        if execution.cycles and (stamp is not None or last):
            end = execution.cycles[0] if last else stamp.cycle  # from the last stamp to the interrupt: the last layer's
            counters = execution.counters if last else stamp.counters
            cycles = end - before
            stalls = _stalls(layer.engine, counters, counted)
            before, counted = end, counters
        name, op = _label(layer, operators)
        lines.append(LayerLine(name, op, layer.engine, cycles, layer.macs, layer.bound_cycles, stalls))
    return tuple(lines)


def _label(layer: LayerRecord, operators: Mapping[str, str]) -> tuple[str, str]:
    """A layer's name and operator as its author knows them: the model's nodes without the quantising ones."""
    nodes = [n for n in layer.nodes if n in operators and operators[n] not in ("QuantizeLinear", "DequantizeLinear")]
    return ("+".join(nodes), "+".join(operators[n] for n in nodes)) if nodes else (layer.name, layer.op)


def _stalls(engine: str, now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int] | None:
    names = {cause: f"{engine}_{cause}" for cause in _CAUSES}
    if not all(name in now for name in names.values()):
        return None
    return {cause.lower(): now[name] - before.get(name, 0) for cause, name in names.items()}
