"""``python -m tenon.flows.bench.configurations -o FILE``: cycles, area and clock of configurations, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tenon.flows.bench.kept import kept
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.flows.execution import Simulator
from tenon.flows.hardware.analysis import check_tools, design_of, paths_of
from tenon.flows.hardware.area import area_of
from tenon.flows.outputs import new_file
from tenon.flows.run import prepare, run
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset

__all__ = ["FAMILIES", "NETWORKS", "Configuration", "measure_configuration", "table"]

NETWORKS = ("dscnn", "resnet8", "mobilenet_v2", "resnet18", "bert_encoder")


def _lanes(name: str, *counts: int) -> list[SystolicParams]:
    return [replace(preset(name), name=f"{name}_{lanes}_lanes", lanes=lanes) for lanes in counts]


#: Configurations that differ in lanes alone, the preset first.
FAMILIES = ([preset("tiny")], _lanes("edge8", 8, 4, 2), [preset("edge8_ecp5")], _lanes("edge16", 16, 8, 4))


@dataclass(frozen=True)
class Configuration:
    """``cycles`` by network, of the cycle model; gates and ``mhz`` in OSU018, memories left out; ``cells`` of an ECP5 by kind."""

    params: SystolicParams
    cycles: dict[str, int]
    gates: float
    lane_gates: float
    mhz: float
    cells: dict[str, int]


def measure_configuration(params: SystolicParams, progress: Callable[[str], None]) -> Configuration:
    """Area and clock from its Verilog, cycles of each network compiled for it.

    Raises
    ------
    UserError
        If a tool is missing.
    """
    design = design_of(params)
    gates, cells = (area_of(design, params.name, technology, progress) for technology in ("osu018", "ecp5"))
    progress(f"timing of {params.name}")
    timing = paths_of(design, params.name, "osu018", whole=True)
    in_lanes = set(design.within(f"{design.top}_lane"))
    lanes = sum(m.instances * m.counts["gates"] for m in gates.modules if m.module in in_lanes)
    cycles = {}
    for network in NETWORKS:
        progress(f"{network} on {params.name}")
        cycles[network] = run(prepare(f"zoo:{network}", params, runs=1), Simulator.MODEL)[0].cycles
    return Configuration(params, cycles, gates.total.counts["gates"], lanes, timing.paths[0].mhz, dict(cells.total.counts))


def table(families: Sequence[Sequence[Configuration]]) -> str:
    """In Markdown; the last column is the geometric mean, over networks, of cycles times gates over the family's first."""
    lines = [
        f"| configuration | k gates | in lanes | MHz | LUT4 | FF | MULT18 | {' | '.join(NETWORKS)} | cycles x gates |",
        f"|---|{'---|' * (7 + len(NETWORKS))}",
    ]
    for family in families:
        for c in family:
            product = math.prod(c.cycles[n] * c.gates / (family[0].cycles[n] * family[0].gates) for n in NETWORKS) ** (1 / len(NETWORKS))
            lines.append(f"| {c.params.name} | {c.gates / 1000:,.0f} | {100 * c.lane_gates / c.gates:.0f} % | {c.mhz:.0f} | "
                         + " | ".join(f"{c.cells[kind]:,}" for kind in ("LUT4", "FF", "MULT18")) + " | "
                         + " | ".join(f"{c.cycles[n]:,}" for n in NETWORKS) + f" | {product:.2f} |")
    return "\n".join(lines)


_PAGE = """\
# Configurations side by side

Written by `python -m tenon.flows.bench.configurations -o docs/configurations.md`. A preset, and the same with fewer lanes of VECTOR:
what do they cost, and what are they worth?

- *k gates*: thousands of gate equivalents in OSU018, without memories; *in lanes*: the part of them that VECTOR's lanes take. *MHz*: the
  slowest path of the whole in OSU018, without wires. What that library is good for: `docs/hardware.md`.
- *LUT4, FF, MULT18*: cells of an ECP5, each module by itself.
- Networks: their cycles, by the cycle model; `docs/networks.md` says how far it is from RTL.
- *cycles x gates*: over those of the preset above, the geometric mean of all networks. Below 1.00, fewer lanes save more area than they
  cost time.

{table}
"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
def main(output: Path) -> None:
    """Measures configurations that differ in size, and in lanes."""
    quiet()
    with user_errors():
        check_tools("osu018", "osu018")
        measured = [[kept(f"configuration-{params.name}", measure_configuration, params, say) for params in family] for family in FAMILIES]
        with new_file(output) as work:
            work.write_text(_PAGE.format(table=table(measured)), encoding="utf-8")
    click.echo(output)


if __name__ == "__main__":
    main()
