"""``python -m tenon.flows.bench.drive -o FILE``: what drives do in RTL, beside what their parts allow: reads, reads beside a network,
networks over data at rest, and how fast all of that is simulated."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import click

from tenon.flows.bench.kept import kept
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.drive.bench import Load, Network, Reads, limits, measure_reads
from tenon.flows.drive.run import DriveRun, run_on_drive
from tenon.flows.errors import user_errors
from tenon.flows.outputs import new_file
from tenon.flows.run import prepare
from tenon.hw.presets import preset
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.presets import drive
from tenon.tb.drive.system import PERIOD_NS, run_drive

__all__ = ["page"]

_RAM = replace(drive("dscs8"), name="ram256", ram_blocks=1, host_bits=256,
               accelerator=replace(preset("tiny"), name="tiny256", bus_bits=256))
_LOADS = ((drive("dscs8"), Load(50, 1, 256)), (drive("dscs8"), Load(50, 1, 256, fast=False)), (drive("dscs8"), Load(600, 32, 256)),
          (drive("dscs8"), Load(300, 32, 256, fast=False)), (_RAM, Load(600, 32, 128)), (_RAM, Load(600, 32, 128, fast=False)))
_BESIDE = Load(400, 32, 256, share=0.2)
_NETWORK, _ITEMS = "zoo:resnet8", 4
_AT_REST, _AT_REST_ITEMS = ("zoo:dscnn", "zoo:resnet8"), 64


def _reads(params: StorageParams, load: Load) -> Reads:
    return measure_reads(params, load)[0]


def _beside(params: StorageParams, load: Load) -> tuple[Reads, Network]:
    return measure_reads(params, load, prepare(_NETWORK, params.accelerator, runs=_ITEMS))


def _at_rest(params: StorageParams, model: str) -> DriveRun:
    return run_on_drive(prepare(model, params.accelerator, runs=_AT_REST_ITEMS), params)


def _speed(params: StorageParams) -> float:
    """Cycles in a CPU second of the simulator, the bench's own included: random reads and writes on all queues."""
    found = run_drive(params, "tenon.tb.drive.scenarios.traffic:random_traffic",
                      arguments={"commands": 300, "queues": params.queues, "depth": 4, "entries": params.queue_entries})
    return found["cycles"] / found["seconds"]


def page(reads: list[tuple[StorageParams, Load, Reads]], beside: tuple[Reads, Network], runs: list[DriveRun],
         speeds: dict[str, float]) -> str:
    """The page in Markdown."""
    rows = [f"| {params.name} | {load.depth} | {load.by} | {found.per_second / 1e3:,.1f} | "
            f"{100 * found.per_second / min(limits(params).values()):.1f} % | {found.microseconds['50']:.2f} | "
            f"{found.microseconds['99']:.2f} |" for params, load, found in reads]
    alone, network = beside
    most = [f"{params.name}: " + ", ".join(f"{name} {value / 1e3:,.0f}" for name, value in limits(params).items())
            for params in dict.fromkeys(params for params, _, _ in reads)]
    at_rest = [f"| {run.model} | {run.chunk_items} | {run.cycles:,} | {run.cycles / run.limit_cycles:.3f} | "
               f"{run.comparison.total.mismatches} of {run.comparison.total.elements} | {run.host_bytes:,}, {run.output_bytes:,}, "
               f"{run.command_bytes:,} |" for run in runs]
    return _PAGE.format(
        date=f"{datetime.date.today():%Y-%m-%d}", clock=1000 / PERIOD_NS, reads="\n".join(rows), limits="; ".join(most),
        share=100 * _BESIDE.share, model=network.model, items=_ITEMS, alone=alone.microseconds["99"],
        beside=network.reads.microseconds["99"], ratio=network.reads.microseconds["99"] / alone.microseconds["99"],
        executed=network.alone, slower=network.beside, speed=100 * network.speed, at_rest="\n".join(at_rest),
        rest_items=_AT_REST_ITEMS, speeds=", ".join(f"`{name}` {value:,.0f}" for name, value in speeds.items()))


_PAGE = """\
# Drives, measured

Written on {date} by `python -m tenon.flows.bench.drive -o docs/drive_figures.md`; RTL with its firmware, {clock:.0f} MHz, a host whose
memory answers after 400 ns, standard DRAM, dies with the preset's times. What a drive is: `docs/drive.md`.

## Random reads

4 KiB each, *depth* at a time; *of the limit*: of what the slowest of dies, flash buses, device's memory and host's bus could do.
Microseconds are from submission until the host knows. `ram256` has its blocks in DRAM behind the map, and 256-bit buses.

| drive | depth | by | kIOPS | of the limit | 50 % within, us | 99 % within, us |
|---|---|---|---|---|---|---|
{reads}

Limits in kIOPS: {limits}.

## Reads beside a network

Reads at random times, {share:.0f} % of what the drive could do: 99 % within {alone:.2f} us alone, {beside:.2f} us while {model} is
executed: {ratio:.3f} times. {items} items take {executed:,.0f} cycles alone, {slower:,.0f} meanwhile: {speed:.1f} % of the speed.

## Networks over data at rest

`tenon drive run NAME --config dscs8 --items {rest_items}`, from the first copy to the last result; *of the limit*: of what computing alone
takes, or moving the data. The host's other bytes are interrupts.

| network | items at a time | cycles | of the limit | results that differ | host's bytes: all, results, commands |
|---|---|---|---|---|---|
{at_rest}

## Speed of simulation

Cycles in a second of CPU, the bench's host included, of random traffic: {speeds}.
"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
def main(output: Path) -> None:
    """Measures drives."""
    quiet()
    with user_errors():
        reads = []
        for number, (params, load) in enumerate(_LOADS):
            say(f"reads of {params.name}, {load.depth} at a time, by {load.by}")
            reads.append((params, load, kept(f"drive-reads-{number}", _reads, params, load)))
        say(f"reads beside {_NETWORK}")
        beside = kept("drive-beside", _beside, drive("dscs8"), _BESIDE)
        runs = []
        for model in _AT_REST:
            say(f"{model} over data at rest")
            runs.append(kept(f"drive-at-rest-{model.removeprefix('zoo:')}", _at_rest, drive("dscs8"), model))
        speeds = {name: kept(f"drive-speed-{name}", _speed, drive(name)) for name in ("tiny", "dscs8")}
        with new_file(output) as work:
            work.write_text(page(reads, beside, runs, speeds), encoding="utf-8")
    click.echo(output)


if __name__ == "__main__":
    main()
