"""``python -m tenon.flows.bench``: measures everything and writes the page. Interrupted, it goes on where it was."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from tenon.flows.bench.array_speed import array_cycles_per_second
from tenon.flows.bench.fuzzing import CASES, fuzz
from tenon.flows.bench.kept import kept
from tenon.flows.bench.layers import Case, measure
from tenon.flows.bench.on_chip import measure_on_chip
from tenon.flows.bench.page import Figures, page
from tenon.flows.bench.parameters import measure_parameters
from tenon.flows.bench.peaks import measure_peaks
from tenon.flows.bench.promises import CONFIGURATIONS, measure_promises
from tenon.flows.bench.random_programs import measure_random_programs
from tenon.flows.bench.random_runs import measure_random
from tenon.flows.bench.schedules import measure_schedules
from tenon.flows.bench.side_by_side import quiet, say, side_by_side
from tenon.flows.errors import user_errors
from tenon.flows.outputs import new_file
from tenon.hw.presets import preset
from tenon.tb.gateware import emitted

#: What the product promises of single layers.
GOALS = (
    Case("zoo:gemm_512x512x512", "edge16", "at least 98 % of 256 MACs per cycle", least_utilization=0.98),
    Case("zoo:gemm_128x768x768", "edge16", "at most 300,000 cycles (limit 294,912)", most_cycles=300_000),
    Case("zoo:conv_3x3_64_64_56", "edge16", "at least 97.5 %", least_utilization=0.975),
    Case("zoo:conv_3x3_144_144_56_dw", "edge16", "at most 96,000 cycles, 3.4 per word of results", most_cycles=96_000),
)

#: What else tells something about the hardware, and about the cycle model.
OTHERS = (
    Case("zoo:digits", "edge8"),
    Case("zoo:swiftnet", "edge16"),
    Case("zoo:conv_7x7_3_64_112_s2", "edge16"),
    Case("zoo:conv_1x1_64_256_28", "edge16"),
    Case("zoo:conv_3x3_128_128_28_s2", "edge16"),
    Case("zoo:gemm_1x1024x1000", "edge16"),
    Case("zoo:gemm_512x512x512", "edge16_small"),
    Case("zoo:conv_1x1_64_256_28", "edge16_small"),
    Case("zoo:conv_3x3_64_64_28", "edge32"),
)

_SPEED_GOAL = 80_000  # cycles per second of the whole system


def _emission(name: str) -> tuple[float, int]:
    """Seconds and characters of a preset's Verilog."""
    began = time.perf_counter()
    text = emitted(preset(name))
    return time.perf_counter() - began, len(text)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
def main(output: Path) -> None:
    """Measures the figures of the documentation."""
    quiet()
    with user_errors():
        measured = []
        for case in (*GOALS, *OTHERS):
            say(case.command)
            measured.append(kept(f"{case.model.removeprefix('zoo:')}-{case.config}", measure, case))
        say("the bare array")
        array = kept("array", array_cycles_per_second, preset("edge16"))
        say("Verilog of edge32")
        seconds, size = kept("edge32", _emission, "edge32")
        schedules = kept("schedules", measure_schedules, say)
        promises = [(f"promises-{name}", measure_promises, (name,)) for name in CONFIGURATIONS]  # what takes longest comes first
        *promised, random, programs, damaged, peaks, on_chip, moved = side_by_side(
            *promises, ("random-layers", measure_random), ("random-programs", measure_random_programs), ("fuzzing", fuzz, range(CASES)),
            ("peaks", measure_peaks), ("on-chip", measure_on_chip), ("parameters", measure_parameters))
        figures = Figures(measured[:len(GOALS)], measured[len(GOALS):], array, seconds, size, random, programs, damaged, schedules,
                          peaks, on_chip, [p for several in promised for p in several], moved)
        with new_file(output) as work:
            work.write_text(page(figures), encoding="utf-8")
        click.echo(output)
        missed = [m.case.command for m in (*figures.goals, *figures.others) if not m.met]
        if figures.goals[0].rtl.cycles_per_second < _SPEED_GOAL:
            missed.append(f"{_SPEED_GOAL} cycles per second")
        missed += [f"random layers on {r.array}" for r in figures.random
                   if r.rtl["mismatches"] or r.reference["exact_mismatches"] or r.reference["max_difference"] > 1]
        missed += [f"random programs on {p.array}" for p in figures.programs if p.runs.problems or p.unreached]
        missed += [line for p in figures.promises for line in p.problems]
        missed += [f"{m.name} moved" for m in figures.moved if not m.right]
        missed += [*figures.damaged.problems, *figures.schedules.missed, *(o.name for o in figures.on_chip if not o.equal)]
        for goal in missed:
            say(f"MISSED: {goal}")
        sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
