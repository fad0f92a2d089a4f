"""Search for an order within a budget that rises only when everything below it is exhausted."""

from __future__ import annotations

import heapq

from tenon.compiler.schedule.states import States
from tenon.compiler.schedule.valley import lowest_between

__all__ = ["Search"]


class Search:
    """Orders that lead from state ``start`` to state ``goal`` with less than ``ceiling`` bytes, by best-first search.

    The search follows only operators that keep to ``level``; when no state is left, the level rises to the smallest
    amount that some state asked for, and the search goes on from there. So no order stays below the level (unless it is
    still the one it began with), and the first order found is optimal. One state is kept for each set of operators,
    whatever order led to it. ``over``: an order was found, or there is none, and the level is the ceiling.

    Two reductions are safe since f, the live bytes, is submodular (``states.py``):

    - *Free operators.* One that fits the level and does not add to memory is executed at once. What it adds later is no
      more than what it adds now, so moving it to the front of any completion raises no moment of it.
    - *Valleys.* If a state X that descends from P has f(X) <= f(P), let Y have the least f between P and X. Any completion
      T of P gives one of Y, states T u Y: f(T u Y) <= f(T) + f(Y) - f(T n Y) <= f(T), as T n Y lies between P and X.
      And Y can be reached: executing only those operators of P's way to X that are in Y costs f(T n Y) <= f(T) +
      f(Y) - f(T u Y) <= f(T). So everything else that was found from P can be forgotten.
      P is the last such state; whether the filtered way keeps to the level is checked nevertheless, because with a choice of
      operands to take over a moment is not submodular.
    """

    def __init__(self, states: States, start: int, goal: int, level: int, ceiling: int):
        self.states, self.goal, self.level, self.ceiling = states, goal, level, ceiling
        self.expanded = 0  # states looked at so far
        self.order: list[int] | None = None
        self.over = False
        self._way: list[int] = []  # from start to the valley
        self._begin(start)

    def run(self, steps: int) -> None:
        """Looks at up to ``steps`` states."""
        for _ in range(steps):
            if not self._heap:
                self.raise_to(self._later[0][0] if self._later else self.ceiling)
            if self.over:
                return
            live, _, state, ready = heapq.heappop(self._heap)
            if state == self.goal:
                self.order = self._way + self._path(state)
                self.over = True
                return
            self.expanded += 1
            if live > self._live or state == self._valley or not self._commit(state):
                self._expand(state, live, ready)

    def raise_to(self, level: int) -> None:
        """Raises the level, if it is lower: to where the next state waits, or to what somebody else has proved."""
        self.level = max(level, self.level)
        self.over = self.over or self.level >= self.ceiling
        while self._later and self._later[0][0] <= self.level:
            _, state, live, ready = heapq.heappop(self._later)
            heapq.heappush(self._heap, (live, state.bit_count(), state, ready))

    def _begin(self, valley: int) -> None:
        """Forgets everything but the way to ``valley``."""
        self._valley, self._live = valley, self.states.bytes_in(valley)
        self._heap: list[tuple[int, int, int, int]] = []  # live bytes, operators executed, state, ready operators
        self._later: list[tuple[int, int, int, int]] = []  # level at which a state has more to offer; state, live, ready
        self._from: dict[int, tuple[int, list[int]]] = {valley: (valley, [])}  # parent of a state, and what led from it
        self._push(valley, self._live, self.states.ready(valley) & self.goal, self.states.all, valley, [])

    def _path(self, state: int) -> list[int]:
        pieces = []
        while state != self._valley:
            state, moves = self._from[state]
            pieces.append(moves)
        return [v for moves in reversed(pieces) for v in moves]

    def _commit(self, state: int) -> bool:
        """Makes the lowest state between the valley and ``state`` the new valley, if the way to it keeps to the level."""
        way = self._path(state)
        lowest = lowest_between(self.states, self._valley, state)
        if lowest != state:
            way = [v for v in way if lowest >> v & 1]
            if self.states.peak(way, self._valley, self._live) > self.level:
                return False
        self._way += way
        self._begin(lowest)
        return True

    def _expand(self, state: int, live: int, ready: int) -> None:
        states, level = self.states, self.level
        allocates, releases, reuses, predecessors = states.allocates, states.releases, states.reuses, states.predecessors
        known = self._from
        asked = None
        left = ready
        while left:
            bit = left & -left
            left ^= bit
            child = state | bit
            if child in known:
                continue
            v = bit.bit_length() - 1
            after = live
            for size, others in allocates[v]:
                if not others & state:
                    after += size
            if after > level:
                during = states.during(v, state, live) if reuses[v][0] else after
                if during > level:
                    if asked is None or during < asked:
                        asked = during
                    continue
            for size, others in releases[v]:
                if not others & ~state:
                    after -= size
            now = ready ^ bit
            for w in states.successors[v]:
                if not predecessors[w] & ~child:
                    now |= 1 << w
            self._push(child, after, now & self.goal, states.together[v], state, [v])
        if asked is not None and asked < self.ceiling:
            heapq.heappush(self._later, (asked, state, live, ready))

    def _push(self, state: int, live: int, ready: int, changed: int, parent: int, moves: list[int]) -> None:
        """Executes what is free among ``changed``, then queues the state unless it is known."""
        states, level, arrived = self.states, self.level, state
        changed &= ready
        while changed:
            bit = changed & -changed
            changed ^= bit
            v = bit.bit_length() - 1
            after = live
            for size, others in states.allocates[v]:
                if not others & state:
                    after += size
            fits = after <= level
            for size, others in states.releases[v]:
                if not others & ~state:
                    after -= size
            if after > live or not (fits or (states.reuses[v][0] and states.during(v, state, live) <= level)):
                continue
            moves.append(v)
            state |= bit
            live = after
            ready ^= bit
            for w in states.successors[v]:
                if not states.predecessors[w] & ~state:
                    ready |= 1 << w
            ready &= self.goal
            changed |= states.together[v] & ready
            changed &= ready
        if arrived != state:
            # The state before its free operators leads here as well: nobody needs to look at it again.
            self._from.setdefault(arrived, (parent, moves))
        if state not in self._from or state == self._valley:
            self._from.setdefault(state, (parent, moves))
            heapq.heappush(self._heap, (live, state.bit_count(), state, ready))
