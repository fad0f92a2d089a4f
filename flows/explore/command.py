"""``tenon explore``, from a file that describes a space to a folder with the front."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenon.flows.energy_table import EnergyTable
from tenon.flows.errors import UserError
from tenon.flows.explore.engines import Engine, Here, WorkerDied, as_finished, dask_engine
from tenon.flows.explore.folder import check_output, write_front
from tenon.flows.explore.measure import TECHNOLOGY, Measured, measure
from tenon.flows.explore.objectives import conditions, measured_scorer, scorer
from tenon.flows.explore.point import Effort, Workload, workload_of
from tenon.flows.explore.space import DesignSpace, read_space
from tenon.flows.explore.storage import open_record
from tenon.flows.explore.study import Explored, Found, explore

__all__ = ["Exploration", "Request", "run_exploration"]

@dataclass(frozen=True)
class Request:
    """What is asked for; ``storage``: where points are recorded, in ``output`` if None; ``dask``: a scheduler's address."""

    space: Path
    models: tuple[str, ...]
    objectives: tuple[str, ...]
    table: EnergyTable
    sampler: str = "guided"
    budget: int = 500
    seed: int = 1
    effort: Effort = Effort()
    measured: int = 12
    workers: int = 2
    dask: str | None = None
    storage: str | None = None
    resume: bool = False
    output: Path = Path("front")
    page: Path | None = None
    cdn: bool = False


@dataclass(frozen=True)
class Exploration:
    """What came of it. ``measured`` by the points' numbers."""

    space: DesignSpace
    explored: Explored
    measured: dict[int, Measured]
    files: tuple[Path, ...]


def run_exploration(request: Request, progress: Callable[[str], None]) -> Exploration:
    """Explores, measures some of the front, and writes folder and page.

    Raises
    ------
    UserError, ParameterError, CompileError
        One line: a space, a model, a tool or a place to write that will not do; before the first point if that can be known.
    """
    space = read_space(request.space)
    scorer(space, request.objectives)
    check_output(request.output)
    if request.measured:
        _require_tools()
    if request.page is not None:
        _require_plotly()
    workloads = [workload_of(model) for model in request.models]
    about = {"space": request.space.stem, "space_signature": space.signature, "models": list(request.models),
             "digests": [w.digest for w in workloads], "objectives": list(request.objectives), "sampler": request.sampler,
             "seed": request.seed, "effort": repr(request.effort), "energy": request.table.label}
    storage = request.storage or str(request.output / "study.db")
    with contextlib.ExitStack() as stack:
        record = open_record(storage, about, space, request.objectives, resume=request.resume)
        engine: Engine = Here()
        if request.dask is not None or request.workers > 1:
            engine = stack.enter_context(dask_engine(request.workers, request.dask))
        explored = explore(space, workloads, request.objectives, sampler=request.sampler, budget=request.budget, seed=request.seed,
                           effort=request.effort, table=request.table, record=record, engine=engine, progress=progress)
        chosen = _spread(explored.front(), request.measured)
        measured = _measured(chosen, workloads, request.effort, engine, progress)
    about |= {"conditions": conditions(space, request.objectives, request.table.label), "clock_mhz": space.clock_mhz}
    files = write_front(request.output, explored, measured, about)
    if request.page is not None:
        from tenon.flows.explore.page import exploration_page
        from tenon.flows.outputs import new_file

        text = exploration_page(space, explored, measured, about, str(request.output), measured_scorer(space, request.objectives),
                                cdn=request.cdn)
        with new_file(request.page) as work:
            work.write_text(text, encoding="utf-8")
        files.append(request.page)
    return Exploration(space, explored, measured, tuple(files))


def _measured(chosen: Sequence[Found], workloads: Sequence[Workload], effort: Effort, engine: Engine,
              progress: Callable[[str], None]) -> dict[int, Measured]:
    """Points of the front, measured."""
    calls = [(measure, f.point.params, workloads, effort) for f in chosen]
    found = {}
    for number, job in as_finished(engine, calls, lambda n: progress(f"measured {n} of {len(calls)} points of the front")):
        try:
            found[chosen[number].number] = engine.result(job)
        except WorkerDied as error:
            raise UserError(f"measuring {chosen[number].point.params.name}: {error}") from None
    return found


def _spread(front: Sequence[Found], count: int) -> list[Found]:
    """At most ``count`` points of the front, both ends and what lies evenly between."""
    if len(front) <= count:
        return list(front)
    return [front[round(k)] for k in np.linspace(0, len(front) - 1, count)]


def _require_tools() -> None:
    from tenon.flows.hardware.analysis import check_tools
    from tenon.tb import toolchain

    check_tools(TECHNOLOGY, None)
    toolchain.require("verilator", "cocotb", "libpython", "g++", "make", "perl")


def _require_plotly() -> None:
    try:
        import plotly  # noqa: F401
    except ImportError:
        raise UserError("the page is drawn with plotly, which is missing: pip install 'tenon-hw[explore]'") from None
