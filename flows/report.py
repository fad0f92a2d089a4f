"""What a run prints and writes: totals, and a line for each layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import onnx

from tenon.compiler.program import LayerRecord, Program
from tenon.compiler.traffic import traffic_of
from tenon.flows.clock import Clock
from tenon.flows.comparison import REFERENCE, Comparison
from tenon.flows.compile import Placement
from tenon.flows.energy import Energy
from tenon.flows.engine_use import EngineUse, use_by_counters, use_by_timeline
from tenon.flows.execution import Execution, Simulator
from tenon.flows.hardware.power.power import Power
from tenon.flows.version import version

__all__ = ["Accuracy", "LayerLine", "Report", "layer_lines", "report_of"]

_CAUSES = ("TOKEN", "BANK", "BUS", "EMPTY")


@dataclass(frozen=True)
class LayerLine:
    """A layer in the first run. ``cycles`` from the end of the layer before it; ``stalls`` of its engine, by cause.

    ``dram_bytes`` crossed the bus in these cycles, whomever they were for; ``traffic_bytes`` are what the layer's own instructions
    load and store; ``engines``: what each engine did in these cycles; ``reads``: numbers of the layers whose results it reads.
    None: the simulator does not know.
    """

    name: str
    op: str
    engine: str
    cycles: int | None
    macs: int
    bound_cycles: int
    stalls: Mapping[str, int] | None
    dram_bytes: int | None
    traffic_bytes: int
    engines: Mapping[str, EngineUse] | None
    reads: tuple[int, ...]

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
    bus_bytes_per_cycle: int
    placements: Sequence[Placement]
    clock: Clock | None = None
    power: Power | None = None
    energy: Energy | None = None

    @property
    def utilization(self) -> float | None:
        return self.macs / (self.cycles * self.peak_macs_per_cycle) if self.cycles else None

    @property
    def time_us(self) -> float | None:
        """Of the first run at its clock, if that is known."""
        return self.clock.time_us(self.cycles) if self.clock and self.cycles is not None else None

    @property
    def cycles_per_second(self) -> float | None:
        """Simulated cycles in a second of wall-clock time."""
        return self.total_cycles / self.wall_seconds if self.total_cycles and self.wall_seconds else None

    def to_json(self) -> str:
        """The report for other tools; the names are an interface. Null: the simulator does not know. No clock: no time."""
        compared = self.comparison
        total = compared.total if compared else None
        timed = {"time_us": self.time_us, "clock_mhz": self.clock.mhz, "clock_from": self.clock.source} if self.time_us is not None else {}
        power = {"power": self.power.fields(self.clock)} if self.power is not None else {}
        energy = {"energy": self.energy.fields()} if self.energy is not None else {}
        fields = {
            "tenon": version(), "config": self.config, "model": self.model, "simulator": self.simulator,
            "runs": self.runs, "cycles": self.cycles, "total_cycles": self.total_cycles, **timed, **power, **energy, "macs": self.macs,
            "peak_macs_per_cycle": self.peak_macs_per_cycle, "utilization": self.utilization,
            "dram_read_bytes": self.dram_read_bytes, "dram_write_bytes": self.dram_write_bytes,
            "reference": REFERENCE if compared else None, "outputs_compared": total.elements if total else 0,
            "mismatches": total.mismatches if total else 0, "max_abs_diff": total.max_abs_diff if total else 0,
            "classes": {kind: asdict(getattr(compared, kind)) for kind in ("exact", "step", "after")} if compared else None,
            "undefined": compared.undefined if compared else 0,
            "accuracy": asdict(self.accuracy) if self.accuracy else None,
            "wall_seconds": self.wall_seconds, "cycles_per_second": self.cycles_per_second,
            "bus_bytes_per_cycle": self.bus_bytes_per_cycle,
            "layers": [asdict(layer) for layer in self.layers],
            "placements": [asdict(placement) for placement in self.placements],
        }
        return json.dumps(fields, indent=1) + "\n"


def report_of(program: Program, model: onnx.ModelProto, name: str, simulator: Simulator, execution: Execution, runs: int, *,
              comparison: Comparison | None, accuracy: Accuracy | None, placements: Sequence[Placement] = (),
              clock: Clock | None = None) -> Report:
    """Sums up ``runs`` of ``program``."""
    covenant = program.covenant
    beats = [execution.counters.get(name) for name in ("READ_BEATS", "WRITE_BEATS")]
    read, written = (None if n is None else n * covenant.bus_bytes for n in beats)
    cycles = execution.cycles
    return Report(covenant.name, name, simulator.value, runs, sum(cycles) if cycles else None, cycles[0] if cycles else None,
                  sum(layer.macs for layer in program.layers), covenant.peak_macs_per_cycle, read, written, comparison,
                  execution.wall_seconds, layer_lines(program, model, execution), accuracy, covenant.bus_bytes, placements, clock)


def layer_lines(program: Program, model: onnx.ModelProto, execution: Execution) -> tuple[LayerLine, ...]:
    """Attributes every cycle of the first run to a layer, from the time stamps at the layers' ends."""
    operators = {node.name or node.output[0]: node.op_type for node in model.graph.node}
    ends = _ends(program, execution)
    observed: dict[int, dict[str, EngineUse]] = {}
    if execution.timeline is not None:
        uses = use_by_timeline(program, execution.timeline, [cycle for cycle, _ in ends.values()])
        observed = dict(zip(ends, uses))
    # Stamps of the cycle model hold no counters: its last ones are those of the whole run, not of the last layer.
    counting = all(counters for _, counters in ends.values())
    reads = _reads(program, model)
    lines: list[LayerLine] = []
    before: int = 0
    counted: Mapping[str, int] = {}
    for number, layer in enumerate(program.layers):
        cycles = stalls = moved = engines = None
        if number in ends:
            end, counters = ends[number]
            alone = number - 1 in ends or not number  # else these cycles are those of layers before it, too
            cycles, engines = (end - before, observed.get(number)) if alone else (None, None)
            if counting and alone:
                stalls = _stalls(layer.engine, counters, counted)
                moved = _moved(program, counters, counted)
                engines = _engines(program, counters, counted, engines) or engines
            before, counted = end, counters
        name, op = _label(layer, operators)
        traffic = traffic_of(program.covenant, program.instructions[layer.first:layer.last + 1])
        lines.append(LayerLine(name, op, layer.engine, cycles, layer.macs, layer.bound_cycles, stalls, moved,
                               traffic.read + traffic.written, engines, reads[number]))
    return tuple(lines)


def _reads(program: Program, model: onnx.ModelProto) -> list[tuple[int, ...]]:
    """For each layer the ones whose results it reads, by the model's nodes: what has no layer passes on what it reads."""
    layer_of = {node: number for number, layer in enumerate(program.layers) for node in layer.nodes}
    comes_from: dict[str, set[int]] = {}
    reads: list[set[int]] = [set() for _ in program.layers]
    for node in model.graph.node:
        sources = set().union(*(comes_from.get(name, ()) for name in node.input))
        number = layer_of.get(node.name or node.output[0])
        if number is not None:
            reads[number] |= sources - {number}
            sources = {number}
        comes_from |= dict.fromkeys(node.output, sources)
    return [tuple(sorted(found)) for found in reads]


def _ends(program: Program, execution: Execution) -> dict[int, tuple[int, Mapping[str, int]]]:
    """For each layer whose end is known, by number: its cycle, and the counters then."""
    if not execution.cycles:
        return {}
    stamps = {stamp.mark: stamp for stamp in execution.stamps}
    last = len(program.layers) - 1
    ends = {}
    for number, layer in enumerate(program.layers):
        stamp = stamps.get(layer.mark)
        if number == last:
            ends[number] = execution.cycles[0], execution.counters  # from the last stamp to the interrupt: the last layer's
        elif stamp is not None:
            ends[number] = stamp.cycle, stamp.counters
    return ends


def _moved(program: Program, now: Mapping[str, int], before: Mapping[str, int]) -> int | None:
    names = ("READ_BEATS", "WRITE_BEATS")
    if not all(name in now for name in names):
        return None
    return sum(now[name] - before.get(name, 0) for name in names) * program.covenant.bus_bytes


def _engines(program: Program, now: Mapping[str, int], before: Mapping[str, int],
             observed: Mapping[str, EngineUse] | None) -> dict[str, EngineUse] | None:
    """Every engine by its counters; those who signalled are known only if a timeline was ``observed``."""
    uses = {unit.name: use_by_counters(unit.name, now, before, observed[unit.name].token_from if observed else None)
            for unit in program.covenant.units}
    return uses if all(uses.values()) else None


def _label(layer: LayerRecord, operators: Mapping[str, str]) -> tuple[str, str]:
    """A layer's name and operator as its author knows them: the model's nodes without the quantising ones."""
    nodes = [n for n in layer.nodes if n in operators and operators[n] not in ("QuantizeLinear", "DequantizeLinear")]
    return ("+".join(nodes), "+".join(operators[n] for n in nodes)) if nodes else (layer.name, layer.op)


def _stalls(engine: str, now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int] | None:
    names = {cause: f"{engine}_{cause}" for cause in _CAUSES}
    if not all(name in now for name in names.values()):
        return None
    return {cause.lower(): now[name] - before.get(name, 0) for cause, name in names.items()}
