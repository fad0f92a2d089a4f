"""``python -m tenon.flows.bench.on_chip``: what it saves in RTL that tensors stay on chip, and that the results are the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from tenon.compiler.traffic import Traffic, traffic_of
from tenon.flows.bench.side_by_side import say
from tenon.flows.execution import Simulator
from tenon.flows.run import prepare, run
from tenon.hw.presets import preset

__all__ = ["OnChip", "measure_on_chip", "section"]

_NETWORK, _CONFIG = "zoo:swiftnet", "edge16"


@dataclass(frozen=True)
class OnChip:
    """A network in RTL, arranged in one way. ``kept``: tensors that never leave the chip; ``parts``: layers that only add to
    sums; ``bus_bytes``: beats that the hardware counted, in bytes; ``compared``: elements held against the reference on the
    model's own graph, of which ``equal`` says whether all are right."""

    name: str
    cycles: int
    traffic: Traffic
    bus_bytes: int
    kept: int
    parts: int
    compared: int
    equal: bool


def measure_on_chip(progress: Callable[[str], None] = lambda _: None) -> list[OnChip]:
    """SwiftNet as its file has it; ordered; and ordered, in parts, on chip."""
    found = []
    for name, options in (("file order", dict(schedule="file")), ("optimal order", dict(schedule="optimal")),
                          ("optimal order, sums in parts, tensors on chip", dict(schedule="optimal", on_chip=True))):
        progress(f"{_NETWORK}, {name}")
        job = prepare(_NETWORK, preset(_CONFIG), **options)
        report, execution = run(job, Simulator.VERILATOR)
        program, beat = job.compiled.program, job.params.bus_bytes
        written = {t for layer in program.layers for t in layer.outputs}
        found.append(OnChip(name, execution.cycles[0], traffic_of(program.covenant, program.instructions),
                            beat * (execution.counters["READ_BEATS"] + execution.counters["WRITE_BEATS"]),
                            len(written - program.tensors.keys()), sum(not layer.outputs for layer in program.layers),
                            report.comparison.total.elements, report.comparison.passed))
    return found


def section(measured: list[OnChip]) -> list[str]:
    """The page's lines, in Markdown."""
    before = measured[0]
    return [
        "## On chip between layers", "",
        f"`{_NETWORK}` whole on `{_CONFIG}` in RTL, standard DRAM, against the reference on the model's own graph. Bytes that the program "
        "asks for, and beats that the bus moved for them; `tenon compile --on-chip` says the former, `python -m tenon.flows.bench.on_chip` "
        "measures this alone.", "",
        "| arranged | cycles | read | written | instructions | bus | tensors on chip | parts | elements compared |",
        "|---|---|---|---|---|---|---|---|---|",
        *(f"| {o.name} | {o.cycles:,} | {o.traffic.read:,} | {o.traffic.written:,} | {o.traffic.fetched:,} | {o.bus_bytes:,} "
          f"({100 * (o.bus_bytes / before.bus_bytes - 1):+.1f} %) | {o.kept} | {o.parts} | {o.compared:,}, "
          f"{'all equal' if o.equal else 'DIFFERENT'} |" for o in measured), "",
    ]


@click.command()
def main() -> None:
    """Prints the section, and ends with status 1 if anything differs from the reference."""
    measured = measure_on_chip(say)
    click.echo("\n".join(section(measured)))
    sys.exit(not all(o.equal for o in measured))


if __name__ == "__main__":
    main()
