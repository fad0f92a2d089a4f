"""What a timing analysis found: the slowest paths between registers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["CriticalPath", "Step", "Timing"]


@dataclass(frozen=True)
class Step:
    """One cell on a path: its kind, the net that it drives, by the nearest name in the Verilog, and when that has settled."""

    cell: str
    net: str
    ns: float


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path of a module; ``start`` and ``end`` are registers, memories, or registers at ports ("port NAME").

    ``ns`` includes the registers' own delay and setup. ``levels`` counts the cells between them: on an FPGA those that a signal
    enters over routing (a LUT with the multiplexers behind it is one, and so is a carry chain), in standard cells all but
    buffers and inverters. ``routing_ns`` is the part of ``ns`` that wires take, on an FPGA; ``fo4`` is ``ns`` in delays of an
    inverter that drives four of itself, in standard cells.
    """

    module: str
    instances: int
    ns: float
    levels: int
    start: str
    end: str
    steps: tuple[Step, ...]
    routing_ns: float | None = None
    fo4: float | None = None

    @property
    def mhz(self) -> float:
        return 1000 / self.ns


@dataclass(frozen=True)
class Timing:
    """Paths, the slowest first; ``scope`` says what each is the slowest of, ``conditions`` what was assumed."""

    config: str
    technology: str
    scope: str
    conditions: str
    paths: tuple[CriticalPath, ...]

    def to_json(self) -> str:
        found = asdict(self)
        for entry, path in zip(found["paths"], self.paths):
            entry["mhz"] = round(path.mhz, 1)
        return json.dumps(found, indent=1)
