"""Beam search: a limited number of states for each count of executed operators, within a budget."""

from __future__ import annotations

import time

import numpy as np

from tenon.compiler.schedule.states import States, bits

__all__ = ["beam"]

_NEVER = 1 << 60


def beam(states: States, start: int, goal: int, *, budget: int, width: int, until: float) -> list[int] | None:
    """An order from ``start`` to ``goal`` that stays below ``budget`` bytes, or None if the beam lost its way.

    In each round every state of the beam is extended by every operator, and the ``width`` states with the fewest live
    bytes are kept. ``until`` is a time of ``perf_counter`` at which to give up.
    """
    live = np.array([states.bytes_in(start)])
    members = [start]
    grows, needs = (np.full((1, states.count), _NEVER) for _ in range(2))  # live bytes that each operator adds, and needs
    for v in bits(states.ready(start) & goal):
        grows[0, v], needs[0, v] = states.after(v, start, 0), states.during(v, start, 0)
    history: list[tuple[list[int], list[int]]] = []
    for _ in range((goal & ~start).bit_count()):
        if time.perf_counter() > until:
            return None
        result = np.where(live[:, None] + needs < budget, live[:, None] + grows, _NEVER)
        parents, chosen, members = _best(result, members, width)
        if not members:
            return None
        live = result[parents, chosen]
        grows, needs = grows[parents], needs[parents]
        for row, (v, state) in enumerate(zip(chosen, members)):
            grows[row, v] = needs[row, v] = _NEVER
            for w in bits(states.together[v] & goal & ~state):
                if not states.predecessors[w] & ~state:
                    grows[row, w], needs[row, w] = states.after(w, state, 0), states.during(w, state, 0)
        history.append((parents, chosen))
    order, row = [], 0
    for parents, chosen in reversed(history):
        order.append(chosen[row])
        row = parents[row]
    return order[::-1]


def _best(result: np.ndarray, members: list[int], width: int) -> tuple[list[int], list[int], list[int]]:
    """Rows, operators and new states of the ``width`` smallest results; a state that several rows reach counts once."""
    flat = result.ravel()
    # Equal states come from several rows: look at a few times more than are kept.
    few = min(flat.size, 4 * width)
    nearest = np.argpartition(flat, few - 1)[:few] if few < flat.size else np.arange(flat.size)
    nearest = nearest[np.argsort(flat[nearest], kind="stable")]
    parents, chosen, found = [], [], {}
    for index in nearest[flat[nearest] < _NEVER // 2].tolist():
        row, v = divmod(index, result.shape[1])
        state = members[row] | 1 << v
        if state not in found:
            found[state] = None
            parents.append(row)
            chosen.append(v)
            if len(found) == width:
                break
    return parents, chosen, list(found)
