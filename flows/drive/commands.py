"""The command ``tenon drive``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from tenon.flows.errors import UserError, user_errors

__all__ = ["drive"]


@click.group()
def drive() -> None:
    """Drives: NVMe, flash and an accelerator behind it, in RTL.

    CONFIG is a preset (tiny, dscs8, dscs128) or a TOML file.
    """


def _require_packages() -> None:
    """Refuses if the processor's core or its compiler is not installed."""
    for package, module in (("pythondata-cpu-vexriscv", "pythondata_cpu_vexriscv"), ("ziglang", "ziglang")):
        if importlib.util.find_spec(module) is None:
            raise UserError(f"{package} is missing, which drives need: pip install 'tenon-hw[drive]'")


@drive.command()
@click.argument("config")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/drive"), show_default=True, help="Folder to write.")
def generate(config: str, output: Path) -> None:
    """Writes a drive: Verilog, firmware, covenant, C headers, pages of registers and structures."""
    with user_errors():
        _require_packages()
        from tenon.flows.drive.generate import generate_drive
        from tenon.hw.storage.config import load_drive

        for path in generate_drive(load_drive(config), output):
            click.echo(path)


@drive.command()
@click.argument("model")
@click.option("--config", required=True, help="The drive.")
@click.option("--data", type=click.Path(path_type=Path), help="An .npz file: each input of the model, items along the first axis.")
@click.option("--items", type=click.IntRange(1), help="So many items of the model's own test inputs, or random ones.  [default: 1]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there, for other tools.")
@click.option("--trace", "trace_file", type=click.Path(path_type=Path),
              help="Write a timeline there, for Perfetto: commands, dies, flash buses, memories.")
def run(model: str, config: str, data: Path | None, items: int | None, json_file: Path | None, trace_file: Path | None) -> None:
    """Runs a network over data at rest, in RTL: copied within the drive, executed, results compared with ONNX Runtime.

    Exit status 1 if a result differs.
    """
    with user_errors():
        _require_packages()
        from dataclasses import replace

        from tenon.flows.drive.run import batch_feeds, run_on_drive
        from tenon.flows.drive.table import print_run
        from tenon.flows.drive.trace import trace_text
        from tenon.flows.outputs import check_file, new_file
        from tenon.flows.run import prepare
        from tenon.hw.storage.config import load_drive

        if data is not None and items is not None:
            raise UserError("--data has its own number of items: leave out --items")
        for file in (json_file, trace_file):
            if file is not None:
                check_file(file)
        params = load_drive(config)
        job = prepare(model, params.accelerator, runs=items or 1)
        if data is not None:
            job = replace(job, feeds=batch_feeds(data, job))
        found = run_on_drive(job, params, trace=trace_file is not None)
        print_run(found)
        for file, text in ((json_file, found.to_json), (trace_file, lambda: trace_text(found))):
            if file is not None:
                with new_file(file) as work:
                    work.write_text(text(), encoding="utf-8")
        if not found.comparison.passed:
            sys.exit(1)


@drive.command()
@click.argument("config")
@click.argument("script", type=click.Path(path_type=Path))
def linux(config: str, script: Path) -> None:
    """Boots Linux with the drive as its disk, /dev/nvme0n1, and runs SCRIPT with sh in it.

    The guest sees this machine's files, read only. Exit status: the script's.
    """
    with user_errors():
        _require_packages()
        from tenon.hw.storage.config import load_drive
        from tenon.tb.drive.uml import GuestError, KernelError, run_linux

        try:
            text = script.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{script}: cannot be read: {error}") from None
        try:
            found = run_linux(load_drive(config), text)
        except (GuestError, KernelError) as error:
            raise UserError(str(error)) from None
        click.echo(found.text, nl=False)
        click.echo(f"{found.cycles:,} cycles, {found.simulated_ns / 1e6:,.3f} ms of simulated time, {found.wall_seconds:.1f} s", err=True)
        sys.exit(found.status)


@drive.command()
@click.argument("config")
@click.option("--commands", type=click.IntRange(10), default=600, show_default=True, help="Reads.")
@click.option("--depth", type=click.IntRange(1), default=32, show_default=True, help="At a time, at most.")
@click.option("--blocks", type=click.IntRange(1), default=256, show_default=True, help="That are written before, and read at random.")
@click.option("--load", type=click.FloatRange(0, 1), default=0, show_default=True,
              help="So much of what the drive could do, at random times. 0: each read as soon as one has ended.")
@click.option("--by", type=click.Choice(["hardware", "firmware"]), default="hardware", show_default=True, help="Who carries reads out.")
@click.option("--while", "model", metavar="MODEL", help="Also while this network is executed.")
@click.option("--items", type=click.IntRange(1), default=4, show_default=True, help="Of an execution.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there, for other tools.")
def bench(config: str, commands: int, depth: int, blocks: int, load: float, by: str, model: str | None, items: int,
          json_file: Path | None) -> None:
    """Measures random reads of 4 KiB in RTL: how many in a second, and how long they take, beside what dies and buses allow."""
    with user_errors():
        _require_packages()
        from tenon.flows.drive.bench import Load, measure_reads, print_reads, to_json
        from tenon.flows.outputs import check_file, new_file
        from tenon.flows.run import prepare
        from tenon.hw.storage.config import load_drive

        if json_file is not None:
            check_file(json_file)
        params = load_drive(config)
        wanted = Load(commands, depth, blocks, load, by == "hardware")
        job = None if model is None else prepare(model, params.accelerator, runs=items)
        found = measure_reads(params, wanted, job)
        print_reads(params, wanted, *found)
        if json_file is not None:
            with new_file(json_file) as work:
                work.write_text(to_json(params, wanted, *found), encoding="utf-8")


@drive.command()
@click.argument("config")
@click.option("--malformed", type=click.IntRange(1), default=1000, show_default=True, help="Commands with anything in their fields.")
@click.option("--traffic", type=click.IntRange(1), default=500, show_default=True, help="Random reads and writes on all queues.")
@click.option("--histories", type=click.IntRange(1), default=100, show_default=True,
              help="Short ones of commands, each with reads by hardware and by firmware.")
@click.option("--capacities", type=click.FloatRange(0), default=0.1, show_default=True,
              help="So many times as much as the drive holds is written at random, with wrong bits in its flash.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def check(config: str, malformed: int, traffic: int, histories: int, capacities: float, seed: int) -> None:
    """Holds a drive's RTL against what NVMe and its own description say of it."""
    with user_errors():
        _require_packages()
        from tenon.flows.drive.check import Amounts, check_drive
        from tenon.hw.storage.config import load_drive
        from tenon.hw.storage.presets import DRIVES

        params = load_drive(config)
        if params != DRIVES.get(params.name):
            raise UserError(f"drive check takes a preset ({', '.join(DRIVES)}), not {config}")
        for line in check_drive(params, Amounts(traffic, histories, malformed, capacities), seed):
            click.echo(line)
