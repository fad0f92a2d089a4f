"""Orders that are found quickly, and proved to be nothing."""

from __future__ import annotations

from collections.abc import Callable

from tenon.compiler.schedule.states import States, bits

__all__ = ["HEURISTICS", "greedy", "kahn", "last_first"]


def kahn(states: States, start: int, goal: int) -> list[int]:
    """What became ready first goes first."""
    return _run(states, start, goal, lambda queue, state, live: 0)


def last_first(states: States, start: int, goal: int) -> list[int]:
    """What became ready last goes first: depth-first, as far as operands allow."""
    return _run(states, start, goal, lambda queue, state, live: len(queue) - 1)


def greedy(states: States, start: int, goal: int) -> list[int]:
    """What adds least to memory goes first; among equals what needs least while it runs, then what became ready last."""

    def choose(queue: list[int], state: int, live: int) -> int:
        cost = [(states.after(v, state, live), states.during(v, state, live), -i) for i, v in enumerate(queue)]
        return -min(cost)[2]

    return _run(states, start, goal, choose)


def _run(states: States, start: int, goal: int, choose: Callable[[list[int], int, int], int]) -> list[int]:
    state, live, order = start, states.bytes_in(start), []
    queue = list(bits(states.ready(start) & goal))
    while queue:
        v = queue.pop(choose(queue, state, live))
        live = states.after(v, state, live)
        state |= 1 << v
        order.append(v)
        queue += [w for w in states.successors[v] if goal >> w & 1 and not states.predecessors[w] & ~state]
    return order


#: Name to function (states, start, goal) -> order of the operators between two states.
HEURISTICS = {"kahn": kahn, "last_first": last_first, "greedy": greedy}
