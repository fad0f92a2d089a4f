"""What points are compared by. Everything is to be small."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from tenon.flows.area_model import AREA_NUMBER, area_model, area_number
from tenon.flows.errors import UserError
from tenon.flows.explore.measure import Measured
from tenon.flows.explore.point import Point
from tenon.flows.explore.space import DesignSpace

__all__ = ["MEASURED", "OBJECTIVES", "conditions", "labelled", "measured_scorer", "said", "scorer"]

OBJECTIVES = ("cycles", "area", "energy", "time")
MEASURED = ("cycles", "area", "time")  # of them, what RTL and synthesis say too

_UNITS = {"area": "LUT4", "energy": "uJ", "time": "us"}

Values = tuple[float, ...]


def scorer(space: DesignSpace, objectives: Sequence[str]) -> Callable[[Point], Values]:
    """What a point is worth by each of ``objectives``, all of models. Of several networks it is the geometric mean.

    Raises
    ------
    UserError
        If one is not known, or the space says too little for it.
    """
    _check(space, objectives)
    known: Mapping[str, Callable[[Point], float]] = {
        "cycles": lambda p: _mean(p.cycles.values()),
        "time": lambda p: _mean(p.cycles.values()) / space.clock_mhz,
        "area": lambda p: area_number(area_model().predict(p.params).total.counts),
        "energy": lambda p: _mean(p.energy_uj.values()),
    }
    return lambda point: tuple(known[name](point) for name in objectives)


def measured_scorer(space: DesignSpace, objectives: Sequence[str]) -> Callable[[Measured], tuple[float | None, ...]]:
    """The same of what was measured; None of what is not among MEASURED."""
    known: Mapping[str, Callable[[Measured], float]] = {
        "cycles": lambda m: _mean(r.cycles for r in m.runs.values()),
        "time": lambda m: _mean(r.cycles for r in m.runs.values()) / space.clock_mhz,
        "area": lambda m: area_number(m.area.total.counts),
    }
    return lambda measured: tuple(known[name](measured) if name in MEASURED else None for name in objectives)


def conditions(space: DesignSpace, objectives: Sequence[str], table_label: str) -> list[str]:
    """What figures of each objective mean."""
    said = {"cycles": "cycles: of the event model, the geometric mean of all networks",
            "time": f"time: us at {space.clock_mhz:g} MHz" if space.clock_mhz else "",
            "area": f"area: LUT4 of an ECP5, {AREA_NUMBER}",
            "energy": f"energy: uJ, {table_label}"}
    return [said[name] for name in objectives]


def labelled(objective: str) -> str:
    """With its unit."""
    return f"{objective}, {_UNITS[objective]}" if objective in _UNITS else objective


def said(value: float) -> str:
    """A value of any objective, for people."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


def _check(space: DesignSpace, objectives: Collection[str]) -> None:
    for name in objectives:
        if name not in OBJECTIVES:
            raise UserError(f"objective {name!r} is none of {', '.join(OBJECTIVES)}")
    if len(set(objectives)) < len(objectives):
        raise UserError("an objective is given twice")
    if "time" in objectives and space.clock_mhz is None:
        raise UserError("time needs a clock: give the space clock_mhz, or compare cycles")


def _mean(values: Collection[float]) -> float:
    logs = [math.log(v) for v in values]
    return math.exp(sum(logs) / len(logs))
