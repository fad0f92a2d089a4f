"""What every order needs, seen without a search."""

from __future__ import annotations

from compiler.schedule.states import States, bits
from compiler.schedule.valley import lowest_between

__all__ = ["level_everywhere", "level_of"]


def level_everywhere(states: States) -> int:
    """The most that an operator needs for its own operands and results, with what it may take over taken over."""
    own = [0] * states.count
    for t in states.tensors:
        for v in bits(t.writers | t.readers):
            own[v] += t.size
    return max((need - states.reuses[v][0] for v, need in enumerate(own)), default=0)


def level_of(states: States, v: int, before: list[int], after: list[int]) -> int:
    """The least that can be live while ``v`` runs, whatever has run by then.

    ``before``, ``after``: what each operator needs, and what needs it. The states in which ``v`` can run have all of the
    former and none of the latter; the least live bytes among them are a minimum cut.
    """
    state = lowest_between(states, before[v], states.all & ~after[v] & ~(1 << v))
    live = states.bytes_in(state) + sum(size for size, others in states.allocates[v] if not others)
    return live - states.reuses[v][0]
