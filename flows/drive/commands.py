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
def run(model: str, config: str, data: Path | None, items: int | None, json_file: Path | None) -> None:
    """Runs a network over data at rest, in RTL: copied within the drive, executed, results compared with ONNX Runtime.

    Exit status 1 if a result differs.
    """
    with user_errors():
        _require_packages()
        from dataclasses import replace

        from tenon.flows.drive.run import batch_feeds, run_on_drive
        from tenon.flows.drive.table import print_run
        from tenon.flows.outputs import check_file, new_file
        from tenon.flows.run import prepare
        from tenon.hw.storage.config import load_drive

        if data is not None and items is not None:
            raise UserError("--data has its own number of items: leave out --items")
        if json_file is not None:
            check_file(json_file)
        params = load_drive(config)
        job = prepare(model, params.accelerator, runs=items or 1)
        if data is not None:
            job = replace(job, feeds=batch_feeds(data, job))
        found = run_on_drive(job, params)
        print_run(found)
        if json_file is not None:
            with new_file(json_file) as work:
                work.write_text(found.to_json(), encoding="utf-8")
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
@click.option("--malformed", type=click.IntRange(1), default=1000, show_default=True, help="Commands with anything in their fields.")
@click.option("--traffic", type=click.IntRange(1), default=500, show_default=True, help="Random reads and writes on all queues.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def check(config: str, malformed: int, traffic: int, seed: int) -> None:
    """Holds a drive's RTL against what NVMe and its own description say of it."""
    with user_errors():
        _require_packages()
        from tenon.hw.storage.config import load_drive
        from tenon.hw.storage.presets import DRIVES
        from tenon.tb.drive.system import run_drive

        params = load_drive(config)
        if params != DRIVES.get(params.name):
            raise UserError(f"drive check takes a preset ({', '.join(DRIVES)}), not {config}")
        found = run_drive(params, "tenon.tb.drive.scenarios.traffic:random_traffic", seed=seed,
                          arguments={"commands": traffic, "queues": params.queues, "depth": 4, "entries": params.queue_entries})
        click.echo(f"traffic: {traffic:,} commands, {found['cycles']:,} cycles, every block as it was written")
        found = run_drive(params, "tenon.tb.drive.scenarios.malformed:malformed", seed=seed,
                          arguments={"config": params.name, "commands": malformed})
        click.echo(f"malformed: {malformed:,} commands, {found['cycles']:,} cycles, every status as it must be; nothing touched that no "
                   "command describes")
