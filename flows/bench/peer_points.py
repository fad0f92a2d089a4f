"""The measured points of a folder that ``tenon explore`` wrote, for what is held beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.flows.explore.folder import POINTS, report_path
from tenon.flows.explore.point import Workload, workload_of
from tenon.hw.config import load_config
from tenon.hw.params import SystolicParams

__all__ = ["MeasuredPoint", "Run", "measured_points", "workloads_of"]


@dataclass(frozen=True)
class Run:
    """A network on a point. ``product_cycles``: RTL cycles of layers that multiply activations by weights or by one another, None if
    the run tells layers not apart; ``model_cycles``: of the exploration."""

    cycles: int
    product_cycles: int | None
    model_cycles: int


@dataclass(frozen=True)
class MeasuredPoint:
    """Point ``rank`` of the front. ``seconds`` of the processor for computing it by models, all networks."""

    rank: int
    params: SystolicParams
    runs: dict[str, Run]
    seconds: float


def workloads_of(folder: Path) -> list[Workload]:
    """What was explored.

    Raises
    ------
    UserError, CompileError
        If the folder is no exploration, or a model is not there any more or another one.
    """
    about, found = _about(folder), []
    for model, digest in zip(about["models"], about["digests"]):
        found.append(workload_of(model))
        if found[-1].digest != digest:
            raise UserError(f"{model}: is not the model that {folder} was explored with")
    return found


def measured_points(folder: Path, workloads: Sequence[Workload]) -> list[MeasuredPoint]:
    """In the order of the front.

    Raises
    ------
    UserError
        If the folder is no exploration, or nothing was measured.
    """
    points, found = _about(folder)["points"], []
    for path in sorted(folder.glob("[0-9]*.toml"), key=lambda p: int(p.stem)):
        if not all(report_path(folder / path.stem, w.name).is_file() for w in workloads):
            continue
        params = load_config(path)
        point = next((p for p in points if p["params"] == params.to_dict()), None)
        if point is None:
            raise UserError(f"{path}: is not a point of {folder / POINTS}")
        runs = {w.name: _run(report_path(folder / path.stem, w.name), point["cycles"][w.name]) for w in workloads}
        found.append(MeasuredPoint(int(path.stem), params, runs, point["seconds"]))
    if not found:
        raise UserError(f"{folder}: no point was measured; explore with --measure-front")
    return found


def _about(folder: Path) -> dict:
    path = folder / POINTS
    if not path.is_file():
        raise UserError(f"{folder}: has no {POINTS}; name the folder that tenon explore wrote")
    return json.loads(path.read_text(encoding="utf-8"))


def _run(report: Path, model_cycles: int) -> Run:
    fields = json.loads(report.read_text(encoding="utf-8"))
    cycles = [layer["cycles"] for layer in fields["layers"] if layer["macs"]]
    return Run(fields["cycles"], None if None in cycles else sum(cycles), model_cycles)
