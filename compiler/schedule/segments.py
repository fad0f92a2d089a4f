"""Where every order must pass: the problem falls into parts that can be ordered by themselves."""

from __future__ import annotations

from tenon.compiler.schedule.states import States, bits

__all__ = ["ancestors", "forced_states"]


def ancestors(states: States) -> list[int]:
    """For each operator, everything that must come before it."""
    found = [-1] * states.count
    pending = list(range(states.count))[::-1]
    while pending:
        v = pending[-1]
        missing = [u for u in bits(states.predecessors[v]) if found[u] < 0]
        if found[v] >= 0:
            pending.pop()
        elif missing:
            pending += missing
        else:
            found[v] = states.predecessors[v]
            for u in bits(states.predecessors[v]):
                found[v] |= found[u]
            pending.pop()
    return found


def forced_states(states: States) -> list[int]:
    """The states that every order visits, ascending, from the empty one to the full one.

    A state is forced if each operator outside needs all operators inside; then it is all that some operator needs, or
    all but what needs some operator. Between two forced states an order can be chosen without regard to the rest.
    """
    before = ancestors(states)
    after = ancestors(states.reversed())
    candidates = {0, states.all, *before} | {states.all & ~a for a in after}
    return sorted((s for s in candidates if all(not s & ~before[v] for v in bits(states.all & ~s))), key=int.bit_count)
