"""What kept a layer from being faster."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from tenon.flows.html.record import LayerRow, RunRecord

__all__ = ["Kind", "Limit", "limit_of"]

# Half: the cause that explains most of a layer's cycles. Above it no other cause can explain as many.
_MOST = 0.5


class Kind(enum.StrEnum):
    """Kinds of limits; also the classes of their colours."""

    ARRAY = "array"
    BUS = "bus"
    ENGINE = "engine"
    WAITING = "waiting"


@dataclass(frozen=True)
class Limit:
    """``name`` is that of the engine if the kind is ENGINE."""

    kind: Kind
    name: str


def limit_of(layer: LayerRow, run: RunRecord) -> Limit:
    """What takes up most of the layer's cycles: the layer's bound, which is its products at the array's peak or its traffic at the
    bus's; else all that crossed the bus meanwhile; else the work of one engine; else none: they waited for one another."""
    peak = run.peak_macs_per_cycle
    products = math.ceil(layer.macs / peak) if peak else 0
    if layer.cycles is None or layer.bound_cycles >= _MOST * layer.cycles:
        kind = Kind.ARRAY if products and products >= layer.bound_cycles else Kind.BUS
        return Limit(kind, kind)
    if layer.dram_bytes is not None and run.bus_bytes_per_cycle and layer.dram_bytes >= _MOST * layer.cycles * run.bus_bytes_per_cycle:
        return Limit(Kind.BUS, Kind.BUS)
    busiest = max(layer.engines.items(), key=lambda item: item[1].busy, default=None) if layer.engines else None
    if busiest is not None and busiest[1].busy >= _MOST * layer.cycles:
        return Limit(Kind.ENGINE, busiest[0])
    return Limit(Kind.WAITING, Kind.WAITING)
