"""The pace of a program, from the components that it goes through."""

from __future__ import annotations

from tenon.acg.pace import Pace
from tenon.hw.bus_guard import BusGuard
from tenon.hw.dispatch import ISSUE_CYCLES
from tenon.hw.fetch import FETCH_AHEAD
from tenon.hw.legality import WALK_STAGES
from tenon.hw.load import LoadEngine
from tenon.hw.store import StoreEngine

__all__ = ["pace"]

_START = 2  # control and fetch
_FETCH = 3  # read port, fetch's buffer, its head
_FETCH_INTERVAL = 2
_HEAD = 2  # a queue's memory and its output register
_END = 4  # dispatch, which ends, and control


def pace() -> Pace:
    """Alike for all configurations."""
    guard = BusGuard.request_cycles + BusGuard.answer_cycles
    return Pace(
        start=_START + BusGuard.request_cycles, fetch=_FETCH + BusGuard.answer_cycles, fetch_interval=_FETCH_INTERVAL,
        fetch_ahead=FETCH_AHEAD, check=WALK_STAGES + ISSUE_CYCLES, head=_HEAD,
        load_request=LoadEngine.request_cycles + BusGuard.request_cycles,
        store_request=StoreEngine.request_cycles + BusGuard.request_cycles,
        guard=guard, answer=BusGuard.answer_cycles, load_finish=LoadEngine.finish_cycles, end=_END)
