"""The benchmark page out of measured figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from tenon.flows.bench import on_chip, parameters, peaks, promises, schedules
from tenon.flows.bench.fuzzing import Found
from tenon.flows.bench.layers import Measured
from tenon.flows.bench.on_chip import OnChip
from tenon.flows.bench.parameters import Moved
from tenon.flows.bench.peaks import Peak
from tenon.flows.bench.promises import Promises
from tenon.flows.bench.random_programs import RandomPrograms
from tenon.flows.bench.random_runs import RandomRuns
from tenon.flows.bench.schedules import Schedules
from tenon.flows.comparison import REFERENCE

__all__ = ["Figures", "page"]


@dataclass(frozen=True)
class Figures:
    """Everything that was measured."""

    goals: Sequence[Measured]
    others: Sequence[Measured]
    array_cycles_per_second: float  # of the bare array of edge16
    emission_seconds: float  # of edge32's Verilog
    emission_bytes: int
    random: Sequence[RandomRuns]
    programs: Sequence[RandomPrograms]
    damaged: Found
    schedules: Schedules
    peaks: list[Peak]
    on_chip: list[OnChip]
    promises: list[Promises]
    moved: list[Moved]


def page(figures: Figures) -> str:
    """The page in Markdown."""
    return "\n".join([
        "# Benchmarks", "",
        "Written by `make bench`, which measures everything here in Verilator on the emitted RTL; do not edit. Cycles count from the "
        "start command to the interrupt, with the standard DRAM: one data beat per cycle for reads and writes together, first data 40 "
        "cycles after a request, write response 40 cycles after the last beat. Every tensor that a run leaves in DRAM was compared "
        f"with {REFERENCE}.", "",
        *_cycles(figures), *_speed(figures), *_random(figures), *_programs(figures), *promises.section(figures.promises),
        *parameters.section(figures.moved),
        *_damaged(figures), *on_chip.section(figures.on_chip), *schedules.section(figures.schedules),
        *peaks.section(figures.peaks), *_emission(figures),
    ])


def _row(m: Measured) -> str:
    differ = m.rtl.comparison.total
    return (f"| `{m.case.model}` | {m.case.config} | {m.rtl.cycles:,} | {100 * m.rtl.utilization:.2f} % | {m.case.goal or '-'} | "
            f"{m.model.cycles:,} | {100 * m.model_error:+.2f} % | {differ.mismatches} of {differ.elements:,} |")


def _cycles(figures: Figures) -> list[str]:
    errors = [abs(m.model_error) for m in (*figures.goals, *figures.others)]
    return [
        "## Cycles", "",
        "Each row is `tenon run MODEL --config CONFIG`; `--simulator model` gives the modelled cycles. Utilisation is "
        "multiply-accumulates over cycles times the size of the array.", "",
        "| model | config | cycles | utilisation | goal | cycle model | its error | elements that differ |",
        "|---|---|---|---|---|---|---|---|",
        *map(_row, figures.goals), *map(_row, figures.others), "",
        f"Error of the cycle model against RTL: {100 * sum(errors) / len(errors):.2f} % on average, {100 * max(errors):.2f} % at most.", "",
    ]


def _speed(figures: Figures) -> list[str]:
    system = figures.goals[0].rtl
    return [
        "## Simulation speed", "",
        f"On {os.cpu_count()} cores ({platform.machine()}), one thread.", "",
        "| what | cycles per second |", "|---|---|",
        f"| the whole `edge16` system during `{figures.goals[0].case.model}` (goal: 80,000) | {system.cycles_per_second:,.0f} |",
        f"| its 16x16 array alone, new operands in every cycle | {figures.array_cycles_per_second:,.0f} |",
        *(f"| the whole `{m.case.config}` system during `{m.case.model}` | {m.rtl.cycles_per_second:,.0f} |"
          for m in (*figures.goals[1:], *figures.others)), "",
        "`python -m tenon.flows.bench` measures the bare array; an idle engine's clock stands still, so the system can come near it.", "",
    ]


def _random(figures: Figures) -> list[str]:
    lines = [
        "## Random layers", "",
        "Random small models over every supported operator, int8 and uint8, with random zero-points (`tb/random_layers.py`). The "
        "functional simulator is compared with the reference; RTL, with random stalls of the bus, with the functional simulator's "
        "memory. Exact: equal bit for bit by construction. One step: operators that the reference computes in float "
        "(`docs/numerics.md`); what is computed from such elements is counted apart, a step may grow there.", "",
        "| array | cases | exact: differ | one step: differ | largest difference | computed from those: differ | RTL: bytes that differ |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in figures.random:
        seen = r.reference
        lines.append(f"| {r.array} | {r.cases} | {seen['exact_mismatches']} of {seen['exact']:,} | {seen['step_mismatches']} of "
                     f"{seen['step']:,} | {seen['max_difference']} | {seen['after_mismatches']} of {seen['after']:,} | "
                     f"{r.rtl['mismatches']} of {r.rtl['bytes']:,} |")
    return [*lines, ""]


def _programs(figures: Figures) -> list[str]:
    return [
        "## Random programs", "",
        "Programs that no compiler wrote, generated from the covenant's instructions and proved legal by the static checker: RTL against "
        "the functional simulator, every byte of DRAM and of on-chip memories. And illegal ones, each answered by the promised error "
        "code. `python -m tenon.flows.bench.random_programs` runs them alone.", "",
        "| array | legal | their instructions | illegal | cycles | broken promises |", "|---|---|---|---|---|---|",
        *(p.row for p in figures.programs), "",
    ]


def _damaged(figures: Figures) -> list[str]:
    kinds = sorted({kind for kind, _ in figures.damaged.statuses})
    counts = figures.damaged.statuses
    rows = [f"| {kind.replace('_', ' ')} | {' | '.join(str(counts[kind, status]) for status in (0, 2, 1))} |" for kind in kinds]
    return [
        "## Damaged inputs", "",
        "Models with damaged bytes or odd parts, configurations, program folders and archives of inputs. Each must be taken, refused with "
        "one line, or give results that are reported to differ: no traceback, no hang, nothing half-written. "
        "`python -m tenon.flows.bench.fuzzing` runs them alone. "
        f"Not in order: {len(figures.damaged.problems)} of {sum(counts.values())}.", "",
        "| input | taken | refused | results differ |", "|---|---|---|---|", *rows, "",
    ]


def _emission(figures: Figures) -> list[str]:
    return [
        "## Emission", "",
        f"`tenon generate edge32`: {figures.emission_bytes:,} bytes of Verilog in {figures.emission_seconds:.0f} s (goals: 2,000,000 "
        "bytes, 60 s).", "",
    ]
