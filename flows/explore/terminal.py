"""What an exploration prints: its front, models beside measurements."""

from __future__ import annotations

from rich.table import Table

from tenon.flows.explore.command import Exploration
from tenon.flows.explore.objectives import MEASURED, labelled, measured_scorer, said
from tenon.flows.tables import new_console

__all__ = ["print_exploration"]


def print_exploration(found: Exploration) -> None:
    """The front as a table, and how many points it is of."""
    explored, space = found.explored, found.space
    failed = len(explored.found) - len(explored.good)
    score = measured_scorer(space, explored.objectives)
    table = Table(title=f"front of {len(explored.found):,} points" + (f", of which {failed:,} cannot run the networks" if failed else ""),
                  title_justify="left")
    for name in ("", *(axis.name for axis in space.axes)):
        table.add_column(name, justify="right")
    for name in explored.objectives:
        table.add_column(labelled(name), justify="right")
        if found.measured and name in MEASURED:
            table.add_column("measured", justify="right")
    for rank, point in enumerate(explored.front(), 1):
        row = [str(rank), *(f"{getattr(point.point.params, axis.name):,}" for axis in space.axes)]
        there = score(found.measured[point.number]) if point.number in found.measured else None
        for k, (name, value) in enumerate(zip(explored.objectives, point.values)):
            row.append(said(value))
            if found.measured and name in MEASURED:
                row.append("" if there is None else f"{said(there[k])} ({100 * (value / there[k] - 1):+.1f} %)")
        table.add_row(*row)
    new_console().print(table)
    if found.measured:
        runs = [r for m in found.measured.values() for r in m.runs.values()]
        wrong = sum(r.mismatches for r in runs)
        verdict = "all equal that must be" if not wrong else f"{wrong:,} differ"
        elements = sum(r.elements for r in runs)
        new_console().print(f"{len(found.measured)} points measured: {elements:,} elements compared in RTL, {verdict}; in brackets how far "
                            f"models are off", soft_wrap=True)

