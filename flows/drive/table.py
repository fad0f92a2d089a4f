"""What a run on a drive did, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tenon.flows.drive.run import DriveRun

__all__ = ["print_run"]


def print_run(found: DriveRun) -> None:
    """Prints a run's phases and figures."""
    console = Console()
    table = Table(title=f"{found.model} on {found.drive}: {found.items} items at rest, {found.chunk_items} at a time")
    for column in ("phase", "commands", "cycles", "of all", "bytes"):
        table.add_column(column, justify="left" if column == "phase" else "right")
    for phase in found.phases:
        table.add_row(phase.kind, f"{phase.steps:,}", f"{phase.cycles:,}", f"{100 * phase.cycles / found.cycles:.1f} %", f"{phase.bytes:,}")
    console.print(table)
    total = found.comparison.total
    console.print(f"{found.cycles:,} cycles ({found.nanoseconds / 1e3:,.1f} us), {found.cycles / found.limit_cycles:.3f} times the limit "
                  f"(computing {found.compute_cycles:,}, data {found.copy_cycles:,})")
    console.print(f"host bus: {found.host_bytes:,} bytes: {found.output_bytes:,} of results, {found.command_bytes:,} of commands")
    console.print(f"{total.elements:,} elements of results, {total.mismatches} differ from ONNX Runtime; {found.wall_seconds:.1f} s")
