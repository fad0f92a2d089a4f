"""A configuration that was synthesised: its cells, counted by kind of module."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from tenon.flows.hardware.area import Area
from tenon.flows.hardware.design import MEMORY, SEAMS, Design
from tenon.hw.params import SystolicParams

__all__ = ["KINDS", "Group", "Sample", "group_of", "sample_of"]

KINDS = ("LUT4", "CCU2C", "FF", "MULT18", "EBR", "DPR16X4", "memory bits")


@dataclass(frozen=True)
class Group:
    """All modules of one kind in a configuration. ``counts``: cells in all ``instances`` together, with the memories right in them."""

    instances: int
    counts: dict[str, float]


@dataclass(frozen=True)
class Sample:
    """``groups`` by name; ``total`` is what was counted in the whole."""

    params: SystolicParams
    groups: dict[str, Group]
    total: dict[str, float]


def group_of(module: str) -> str:
    """Modules that differ by their parameters are one kind: their names without numbers, ``tenon_skid`` of ``tenon_skid_35_bits``."""
    return re.sub(r"_\d+(_bits)?(?=_|$)", "", module)


def sample_of(params: SystolicParams, design: Design, area: Area) -> Sample:
    """What ``area_of(design, ..., "ecp5")`` counted."""
    counts = {module.module: module.counts for module in area.modules}
    instances: Counter[str] = Counter()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, number in design.instances().items():
        if design.parts[name].module in SEAMS:
            continue
        group = group_of(name)
        instances[group] += number
        inside = {part: times for part, times in design.parts[name].children.items() if design.parts[part].module == MEMORY}
        for part, times in {name: 1, **inside}.items():
            for kind in KINDS:
                found[group][kind] += number * times * counts[part][kind]
    return Sample(params, {group: Group(instances[group], dict(found[group])) for group in instances}, dict(area.total.counts))
