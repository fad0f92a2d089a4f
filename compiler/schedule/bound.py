"""What every order needs, seen without a search."""

from __future__ import annotations

import time

from tenon.compiler.schedule.segments import ancestors
from tenon.compiler.schedule.states import States, bits
from tenon.compiler.schedule.valley import lowest_between

__all__ = ["level_everywhere", "level_inside", "level_of"]

_MOST_CUTS = 150  # operators of a part that are looked at


def level_everywhere(states: States) -> int:
    """The most that an operator needs for its own operands and results, with what it may take over taken over."""
    return max(_own(states), default=0)


def level_inside(states: States, start: int, goal: int, *, below: int, until: float) -> int:
    """The most that is proved to be live while some operator between two states that every order visits runs.

    Operators with the most of their own come first. The search ends at ``below`` bytes, which are known to suffice, or at
    ``until``, a time of ``perf_counter``.
    """
    before, after, own = ancestors(states), ancestors(states.reversed()), _own(states)
    level = max(states.bytes_in(start), states.bytes_in(goal))
    for v in sorted(bits(goal & ~start), key=lambda v: -own[v])[:_MOST_CUTS]:
        if level >= below or time.perf_counter() > until:
            break
        level = max(level, level_of(states, v, start | before[v], states.all & ~goal | after[v]))
    return level


def level_of(states: States, v: int, before: int, after: int) -> int:
    """The least that can be live while ``v`` runs, whatever has run by then.

    ``before``, ``after``: what has run by then in any case, and what has not. The least live bytes among the states between
    are a minimum cut.
    """
    state = lowest_between(states, before, states.all & ~after & ~(1 << v))
    live = states.bytes_in(state) + sum(size for size, others in states.allocates[v] if not others)
    return live - states.reuses[v][0]


def _own(states: States) -> list[int]:
    """Bytes of what each operator reads and writes, without what it may take over."""
    own = [0] * states.count
    for t in states.tensors:
        for v in bits(t.writers | t.readers):
            own[v] += t.size
    return [need - states.reuses[v][0] for v, need in enumerate(own)]
