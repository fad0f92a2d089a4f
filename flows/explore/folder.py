"""The folder of an exploration: all points, the front's configurations to go on with, and what was measured of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.flows.explore.measure import Measured
from tenon.flows.explore.study import Explored, Found
from tenon.flows.outputs import new_file
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of

__all__ = ["POINTS", "check_output", "report_path", "write_front"]

POINTS = "points.json"
_OURS = (POINTS, "study.db", "study.db-journal")


def check_output(folder: Path) -> None:
    """Refuses a folder that holds anything but what an exploration wrote, and pages.

    Raises
    ------
    UserError
        One line that names what is in the way.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: exists and is no folder; give another with -o")
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name not in _OURS and entry.suffix != ".html" and not entry.name.removesuffix(".toml").isdigit():
            raise UserError(f"{folder}: holds {entry.name!r}, which tenon did not write there; give another folder with -o")


def write_front(folder: Path, explored: Explored, measured: Mapping[int, Measured], about: dict) -> list[Path]:
    """Writes ``N.toml`` for each point of the front, counted from 1, and what was measured of it into the folder ``N``; returns the
    configurations. Those of an earlier front go."""
    check_output(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name.isdigit():
            shutil.rmtree(entry)
        elif entry.name.removesuffix(".toml").isdigit():
            entry.unlink()
    written = []
    for rank, point in enumerate(explored.front(), 1):
        path = folder / f"{rank}.toml"
        path.write_text(_toml(point.point.params, about.get("clock_mhz")), encoding="utf-8")
        written.append(path)
        own = folder / str(rank)
        own.mkdir()
        (own / "acg.json").write_text(graph_of(point.point.params).to_json(), encoding="utf-8")
        if point.number in measured:
            _write_measured(own, measured[point.number])
    with new_file(folder / POINTS) as work:
        work.write_text(json.dumps(about | {"objectives": explored.objectives, "points": [_fields(f) for f in explored.found]}, indent=1)
                        + "\n", encoding="utf-8")
    return written


def _write_measured(folder: Path, measured: Measured) -> None:
    (folder / "area.json").write_text(measured.area.to_json(), encoding="utf-8")
    for name, run in measured.runs.items():
        (folder / f"{_stem(name)}-mappings.json").write_text(run.mappings + "\n", encoding="utf-8")
        report_path(folder, name).write_text(run.report, encoding="utf-8")


def report_path(folder: Path, network: str) -> Path:
    """Of ``network`` in the ``folder`` of a point."""
    return folder / f"{_stem(network)}-report.json"


def _stem(network: str) -> str:
    return network.removeprefix("zoo:").removesuffix(".onnx")


def _fields(found: Found) -> dict:
    return {"number": found.number, "values": found.values, **asdict(found.point)}


def _toml(params: SystolicParams, clock_mhz: float | None) -> str:
    lines = [f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in params.to_dict().items()]
    return "\n".join(lines + ([f"clock_mhz = {clock_mhz:g}"] if clock_mhz is not None else [])) + "\n"
