"""Cells that a configuration takes of an ECP5, from its parameters alone, by a model fitted to configurations that were synthesised."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import tenon.hw
from tenon.flows.area_model.features import features
from tenon.flows.area_model.fit import Terms
from tenon.flows.area_model.memories import memory_cells
from tenon.flows.area_model.sample import KINDS
from tenon.flows.hardware.area import Area, ModuleArea
from tenon.hw.params import SystolicParams

__all__ = ["AREA_NUMBER", "AreaModel", "Error", "area_model", "area_number", "counts_of", "hardware_hash"]

#: A cell weighs as many LUT4 as an LFE5U-85F has for each of its kind: 83,640 LUT4 and flip-flops, 156 multipliers, 208 blocks of
#: 18 kbit (Lattice FPGA-DS-02012, table 1.1). A CCU2C takes the two LUT4 of a slice; a DPR16X4 those of two, and a third's to write.
_LUTS, _MULTIPLIERS, _BLOCKS = 83640, 156, 208
_WEIGHTS = {"LUT4": 1, "CCU2C": 2, "FF": 1, "DPR16X4": 6, "MULT18": round(_LUTS / _MULTIPLIERS), "EBR": round(_LUTS / _BLOCKS)}

AREA_NUMBER = " + ".join(kind if weight == 1 else f"{weight} {kind}" for kind, weight in _WEIGHTS.items())


def area_number(counts: Mapping[str, float]) -> float:
    """One number for plots, in LUT4: ``AREA_NUMBER``, which is to be written beside it."""
    return sum(weight * counts[kind] for kind, weight in _WEIGHTS.items())


@dataclass(frozen=True)
class Error:
    """Of a count of the whole, relative to what was counted; over configurations that the model had not seen."""

    mean: float
    worst: float


@dataclass(frozen=True)
class AreaModel:
    """``modules``: for each kind of module the terms of its ``instances``, and of the cells of one. ``ranges`` are the lowest and
    highest value of each parameter that was fitted to, ``error`` the leave-one-out error of each kind of cells."""

    modules: dict[str, dict[str, Terms]]
    ranges: dict[str, tuple[int, int]]
    error: dict[str, Error]
    date: str
    yosys: str
    hardware: str
    samples: int

    def predict(self, params: SystolicParams) -> Area:
        """As ``area_of`` counts, with modules that differ by their parameters alone as one, and each memory within its module."""
        modules, total = counts_of(self.modules, params)
        found = [ModuleArea(name, instances, {kind: round(number / instances, 3) for kind, number in counts.items()})
                 for name, (instances, counts) in modules.items()]
        found.sort(key=lambda m: (-m.instances * m.counts[KINDS[0]], m.module))
        return Area(params.name, "ecp5", self._conditions(params), tuple(found), ModuleArea("total", 1, total))

    def _conditions(self, params: SystolicParams) -> str:
        errors = ", ".join(f"{kind} {100 * e.mean:.1f} % ({100 * e.worst:.1f} %)" for kind, e in self.error.items())
        said = [f"a model, fitted on {self.date} to {self.samples} configurations synthesised by {self.yosys}; mean (worst) error of a "
                f"configuration left out: {errors}"]
        if self.hardware != hardware_hash():
            said.append("fitted to an older hardware")
        outside = [f"{name} = {getattr(params, name)}" for name, (low, high) in self.ranges.items()
                   if not low <= getattr(params, name) <= high]
        if outside:
            said.append(f"beyond what it was fitted to: {', '.join(outside)}")
        return "; ".join(said)


def counts_of(fitted: dict[str, dict[str, Terms]], params: SystolicParams) -> tuple[dict[str, tuple[int, Counter]], dict[str, int]]:
    """Instances, and cells of all of them, by kind of module; and the sum of all cells."""
    numbers = features(params)
    in_memories = memory_cells(params)
    modules, total = {}, dict.fromkeys(KINDS, 0.0)
    for name, terms in fitted.items():
        instances = round(_value(terms["instances"], numbers))
        if not instances:
            continue
        counts = Counter({kind: max(0.0, instances * _value(terms[kind], numbers)) if kind in terms else 0.0 for kind in KINDS})
        counts.update(in_memories.get(name, ()))
        modules[name] = instances, counts
        for kind in KINDS:
            total[kind] += counts[kind]
    return modules, {kind: round(number) for kind, number in total.items()}


def _value(terms: Terms, numbers: Mapping[str, float]) -> float:
    return sum(factor * numbers[name] for name, factor in terms.items())


@cache
def area_model() -> AreaModel:
    """The committed model."""
    kept = json.loads(resources.files("tenon.flows.area_model").joinpath("data/ecp5.json").read_text(encoding="utf-8"))
    fitted_to = [SystolicParams(**sample["params"]) for use in ("left out", "beside") for sample in kept["samples"][use]]
    ranges = {name: (min(values), max(values)) for name in SystolicParams.domains()
              if (values := [getattr(params, name) for params in fitted_to])}
    error = {kind: Error(**e) for kind, e in kept["error"].items()}
    return AreaModel(kept["modules"], ranges, error, kept["date"], kept["yosys"], kept["hardware"], len(fitted_to))


@cache
def hardware_hash() -> str:
    """Of all sources of the accelerator; the drive around it has its own."""
    root = Path(next(iter(tenon.hw.__path__)))
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*.py") if "storage" not in p.relative_to(root).parts):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
