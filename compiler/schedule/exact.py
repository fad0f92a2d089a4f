"""The order of least peak memory, proved; or, beyond reach, a good one and a proven bound."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule.bound import level_everywhere
from tenon.compiler.schedule.part import Part
from tenon.compiler.schedule.problem import Problem
from tenon.compiler.schedule.segments import forced_states
from tenon.compiler.schedule.states import states_of

__all__ = ["Cell", "Schedule", "schedule"]

_CELL = 3  # operators of a part that has something to order, at least


@dataclass(frozen=True)
class Cell:
    """A part between two places that every order passes: its ``first`` and ``last`` operator in the order found, how many it has,
    peaks (bytes) in the file's order and in this one, and whether no order of it has a smaller one."""

    first: str
    last: str
    operators: int
    file_peak: int
    peak: int
    proved: bool


@dataclass(frozen=True)
class Schedule:
    """An order of a problem's operators, by name.

    ``proved``: no order has a smaller ``peak`` (bytes). ``lower_bound``: no order has a smaller peak than this.
    ``states``: sets of operators that were looked at. ``seconds``: how long it took. ``cells``: its parts that have something
    to order; only as good as the whole needs, unless each was to be the best.
    """

    order: tuple[str, ...]
    peak: int
    proved: bool
    lower_bound: int
    states: int
    seconds: float
    cells: tuple[Cell, ...] = ()


def schedule(problem: Problem, *, budget: int | None = None, seconds: float = 60.0, most_states: int = 1_000_000,
             each: bool = False) -> Schedule:
    """Orders ``problem``: optimal, unless a part of it needs more than ``seconds`` or ``most_states`` (they bound memory, too).

    The problem is cut where every order must pass, and each part is searched from both ends, since one of them can be a
    thousand times cheaper. A part that needs less than another one is not searched at all, unless ``each`` part is to be
    the best by itself. With a ``budget`` (bytes), an order that keeps to it is enough, and may be worse than optimal.

    Raises
    ------
    CompileError
        If no order within ``budget`` was found, with the bytes that are proved to be needed.
    """
    began = time.perf_counter()
    states = states_of(problem)
    backwards = states.reversed()
    forced = forced_states(states)
    given = [problem.position(name) for name in problem.file_order]
    parts = [Part(states, backwards, a, z, given) for a, z in zip(forced, forced[1:])]
    level = max([level_everywhere(states), *map(states.bytes_in, forced)])
    # Small parts first: what they need is a bound for the large ones. Each leaves time for those that follow.
    waiting = sorted(parts, key=lambda p: p.count)
    while waiting := [p for p in waiting if p.peak > max(level, budget or 0)]:
        now = time.perf_counter()
        waiting[0].search(level, max(level, budget or 0), now + (began + seconds - now) / len(waiting), most_states)
        level = max(level, waiting.pop(0).level)
    for part in parts if each else ():
        now = time.perf_counter()
        part.search(0, 0, now + (began + seconds - now) / len(parts), most_states)
    order = [v for part in parts for v in part.order]
    peak = states.peak(order)
    if budget is not None and peak > budget:
        raise CompileError(f"{problem.name}: no order within a budget of {budget} bytes; " + (
            f"{peak} is the least" if peak == level else f"at least {level} are needed, the best order found needs {peak}"))
    names = tuple(problem.operators[v].name for v in order)
    cells = tuple(Cell(problem.operators[p.order[0]].name, problem.operators[p.order[-1]].name, p.count, p.file_peak, p.peak, p.proved)
                  for p in parts if p.count >= _CELL)
    return Schedule(names, peak, peak == level, level, sum(p.states for p in parts), time.perf_counter() - began, cells)
