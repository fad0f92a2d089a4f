"""Measures the energy of a run: samples of it are recorded in RTL, and the mapped hardware goes through the same cycles."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tenon.compiler.program import Program
from tenon.flows.errors import UserError
from tenon.flows.execution import Simulator, Tensors, execute
from tenon.flows.hardware import osu018
from tenon.flows.hardware.analysis import design_of
from tenon.flows.hardware.design import Design
from tenon.flows.hardware.gates import Cell
from tenon.flows.hardware.kept import kept
from tenon.flows.hardware.power.energy import Energy, energy_of
from tenon.flows.hardware.power.memories import ASSUMPTION, access_pj
from tenon.flows.hardware.power.power import MemoryEnergy, PartEnergy, Power
from tenon.flows.hardware.power.recorded import Recorded, read_recorded
from tenon.flows.hardware.power.toggles import Gates, settle
from tenon.flows.hardware.yosys import find_yosys
from tenon.hw.accelerator import engine_classes
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import verilog_of
from tenon.tb.rtl import Dram
from tenon.tb.waves import Waves

__all__ = ["check_tools", "power_of"]

_SAMPLES, _LENGTH = 192, 6  # pieces of a run, and cycles of each: five with a cycle before them
_MARGIN = 8  # cycles at the start and the end that are left out: there the host moves ports in the middle of a cycle

_MEMORIES = ("accumulators", "activations", "parameters", "vectors", "weights")  # what instances of memories are called

_CONDITIONS = (
    "logic: OSU018 (180 nm), typical corner, 1.8 V, 25 C; no wires, no clock tree, no scan, no pads, no DRAM; every toggle, glitches "
    "through gates of fixed delay among them, at input edges of 0.18 ns",
    ASSUMPTION,
)

Progress = Callable[[str], None]


def check_tools() -> None:
    """Refuses if a tool or the library is missing, before any work.

    Raises
    ------
    UserError
        One line that names it, and how to get it.
    """
    find_yosys()
    osu018.library()


def power_of(params: SystolicParams, program: Program, inputs: Tensors, cycles: int, macs: int, *, dram: Dram | None = None,
             progress: Progress = lambda text: None) -> Power:
    """Of a run of ``program`` that takes ``cycles`` and does ``macs``; kept by hardware, program, inputs and DRAM.

    Raises
    ------
    UserError
        If a tool or the library is missing, or the hardware is not what was recorded.
    """
    digest = hashlib.sha256(program.image() + program.constants)
    for name, array in sorted(inputs.items()):
        digest.update(name.encode() + array.tobytes())
    sources = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    library = osu018.library().path.read_text(encoding="utf-8", errors="replace")
    recipe = [verilog_of(params), digest.hexdigest(), cycles, macs, asdict(dram or Dram()), find_yosys().version, library, sources]
    found = kept("power", recipe, lambda: asdict(_measured(params, program, inputs, cycles, macs, dram, progress)))
    parts = tuple(PartEnergy(**part) for part in found["parts"])
    memories = tuple(MemoryEnergy(**memory) for memory in found["memories"])
    return Power(**found | {"parts": parts, "memories": memories, "conditions": tuple(found["conditions"])})


def _measured(params: SystolicParams, program: Program, inputs: Tensors, cycles: int, macs: int, dram: Dram | None,
              progress: Progress) -> Power:
    progress("power: mapping the hardware")
    design = design_of(params)
    netlist = osu018.gates_of(design, design.top)
    gates = Gates(netlist, osu018.library())
    domains = [name.lower() for name in engine_classes(params)] if params.clock_gating else []
    names = {_signal(register) for register in gates.registers} | {_enable(domain) for domain in domains}
    with tempfile.TemporaryDirectory(prefix="tenon-power-") as folder:
        path = Path(folder) / "run.vcd"
        every = cycles // _SAMPLES
        sampled = {"every": every, "length": _LENGTH} if every > _LENGTH else {}
        progress("power: recording the run in RTL (the first time, its simulator is compiled: a minute)")
        execute(program, [inputs], Simulator.VERILATOR, params=params, dram=dram, waves=Waves(path, _MARGIN, cycles - _MARGIN, **sampled))
        progress("power: reading the record")
        try:
            recorded = read_recorded(path, "tenon_system.dut", names)
        except KeyError as error:
            raise UserError(f"power: RTL recorded no {error.args[0]}: this is an error of Tenon's") from None
    settled = settle(gates, {gates.held(register): recorded.bits[_signal(register)] for register in gates.registers}, recorded.mask)

    def clocked(register: Cell) -> int:
        domain = register.path.partition(".")[0]
        return recorded.bits[_enable(domain)] if domain in domains else recorded.mask

    _check(gates, settled, recorded, clocked)
    energy = energy_of(gates, settled, recorded.follows, recorded.mask, part=_grouping(design, params), clocked=clocked,
                       progress=lambda ns: progress(f"power: {recorded.cycles:,} cycles through the gates, {ns:.1f} ns into each"))
    return _summed(energy, recorded, gates, settled, clocked, cycles, macs)


def _signal(register: Cell) -> str:
    """What a register is called in the record; at a port it is what is outside."""
    return register.path if register.part else register.path.removeprefix("port ")


def _enable(domain: str) -> str:
    return f"gate_{domain}.enable"


def _check(gates: Gates, settled: dict[int, int], recorded: Recorded, clocked: Callable[[Cell], int]) -> None:
    """What the gates say that each register takes, the record says that it holds in the next cycle."""
    for register in gates.registers:
        if register.part:
            takes, holds, clock = settled[gates.taken(register)], settled[gates.held(register)], clocked(register)
            expected = (takes & clock | holds & ~clock) << 1
            if (expected ^ holds) & recorded.follows:
                raise UserError(f"power: {register.path} holds something else in RTL than the gates say: this is an error of Tenon's")


def _grouping(design: Design, params: SystolicParams) -> Callable[[Cell], str]:
    """The part that a cell's energy counts for."""
    lanes, array = (set(design.within(f"{design.top}_{name}")) for name in ("lane", "systolic_array"))
    engines = {name.lower(): name for name in engine_classes(params)}

    def part(cell: Cell) -> str:
        head = cell.path.partition(".")[0]
        if cell.part in lanes:
            return "lanes"
        if cell.part in array:
            return "array"
        if head in engines:
            return f"{engines[head]}, rest" if head in ("matrix", "vector") else engines[head]
        return "memory ports" if head.startswith(_MEMORIES) else "sequencer"

    return part


def _summed(energy: Energy, recorded: Recorded, gates: Gates, settled: dict[int, int], clocked: Callable[[Cell], int], cycles: int,
            macs: int) -> Power:
    counted = recorded.follows.bit_count()
    scale = cycles / counted
    idle = _idle(energy, gates, settled, recorded.follows)
    parts = [PartEnergy(name, *(round(1e-6 * scale * float(pj), 6) for pj in (
        energy.toggles_pj[name].sum(), energy.glitches_pj[name], energy.clock_pj[name].sum(), idle[name]))) for name in energy.toggles_pj]
    parts.sort(key=lambda part: -part.uj)
    each = sum(energy.toggles_pj.values()) + sum(energy.clock_pj.values())
    means = np.array([each[sample.start + 1:sample.stop].mean() for sample in recorded.samples if len(sample) > 1])
    error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else 0.0
    memories = [MemoryEnergy(name, round(reads * scale), round(writes * scale), round(1e-6 * scale * pj, 6))
                for name, (reads, writes, pj) in _memories(gates, settled, recorded.follows, clocked).items()]
    memories.sort(key=lambda memory: -memory.uj)
    return Power(cycles, macs, len(means), counted, tuple(parts), tuple(memories), round(1e-6 * cycles * float(error), 6),
                 round(sum(energy.toggles.values()) / sum(energy.outputs.values()) / counted, 6), round(energy.leakage_nw / 1000, 3),
                 _CONDITIONS)


def _idle(energy: Energy, gates: Gates, settled: dict[int, int], follows: int) -> Counter:
    """pJ of clock pins, by part, in cycles at whose end no register of the same instance changed."""
    changes: dict[str, int] = defaultdict(int)
    for register in gates.registers:
        value = settled[gates.held(register)]
        changes[register.path.rpartition(".")[0]] |= value ^ value >> 1
    found: Counter = Counter()
    for (name, instance, edges), pj in energy.clocks.items():
        found[name] += pj * (edges & ~changes[instance] & follows >> 1).bit_count()
    return found


def _memories(gates: Gates, settled: dict[int, int], follows: int, clocked: Callable[[Cell], int]) -> dict[str, list[float]]:
    """Words read, bits written, and pJ, by memory: banks, and copies in lanes, are one. A memory stands still with its engine."""
    found: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for register in gates.registers:
        path, _, port = register.path.rpartition(".")
        memory, name = gates.netlist.memories.get(f"{path}."), port.partition("[")[0]
        if register.part or memory is None or name not in ("r_en", "w_en"):
            continue
        times = (settled[gates.taken(register)] & clocked(register) & follows).bit_count()
        bits = memory["WIDTH"] if name == "r_en" else memory["LANE"]
        sums = found[re.sub(r"_?\d+", "", path)]
        sums[0] += times if name == "r_en" else 0
        sums[1] += times * bits if name == "w_en" else 0
        sums[2] += times * access_pj(memory["WIDTH"] * memory["DEPTH"] / 8, bits)
    return found
