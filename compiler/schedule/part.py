"""One part of a problem, between two states that every order visits."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tenon.compiler.schedule.beam import beam
from tenon.compiler.schedule.bound import level_inside
from tenon.compiler.schedule.heuristics import HEURISTICS
from tenon.compiler.schedule.search import Search
from tenon.compiler.schedule.states import States

__all__ = ["Part"]

_TURN = 250  # states that one direction looks at before it is the other's turn
_BEAM = 4  # states that a beam may keep for each one that the exact search may look at: they are dropped again


class Part:
    """The operators between ``start`` and ``goal``: the best order known, its peak, and ``level``, the proven bound."""

    def __init__(self, states: States, backwards: States, start: int, goal: int, given: Sequence[int]):
        self._ways = (states, start, goal), (backwards, states.all & ~goal, states.all & ~start)
        inside = goal & ~start
        self.count = inside.bit_count()
        self.order = [v for v in given if inside >> v & 1]
        self.file_peak = self.peak = states.peak(self.order, start)
        self.level = 0
        self._own = max(states.bytes_in(start), states.bytes_in(goal))  # the bound that says nothing of other parts
        self.states = 0
        for way, (states, start, goal) in enumerate(self._ways):
            for heuristic in HEURISTICS.values():
                self._offer(heuristic(states, start, goal), way)

    @property
    def proved(self) -> bool:
        """Whether no order of it has a smaller peak."""
        return self.peak <= self._own

    def search(self, level: int, enough: int, until: float, most_states: int) -> None:
        """Finds an order with a peak of at most ``enough``, or the best. ``level``: a bound for whatever that is compared with.

        First narrow beams and what can be proved of single operators, then the exact search with half of the time, then,
        if that does not come to an end, wide beams. What is found depends on the clock only where time is short.
        """
        self.level = level
        began = time.perf_counter()
        self._beams(10, enough, began + (until - began) / 10)
        if self.peak > max(enough, self.level):
            self.level = max(self.level, level_inside(*self._ways[0], below=self.peak, until=began + (until - began) / 5))
            enough = max(enough, self.level)
            self._beams(100, enough, began + (until - began) / 4)
        if self.peak > enough:
            self._exact(enough, began + (until - began) / 2, most_states)
        width = 400
        while self.peak > max(enough, self.level) and width * self.count <= _BEAM * most_states and time.perf_counter() < until:
            self._beams(width, enough, until)
            width *= 4
        if self.level > level or not level:
            self._own = max(self._own, self.level)

    def _offer(self, order: list[int], way: int) -> None:
        """Keeps an order, of the forward or the backward problem, if it is better."""
        states, start, _ = self._ways[way]
        peak = states.peak(order, start)
        if peak < self.peak:
            self.peak, self.order = peak, order[::-1] if way else order

    def _beams(self, width: int, enough: int, until: float) -> None:
        """Beam searches from both ends under a budget that falls until they fail."""
        for way, (states, start, goal) in enumerate(self._ways):
            while self.peak > max(enough, self.level):
                order = beam(states, start, goal, budget=self.peak, width=width, until=until)
                if order is None:
                    break
                self._offer(order, way)

    def _exact(self, enough: int, until: float, most_states: int) -> None:
        """Searches from both ends in turns, until one of them knows."""
        searches = [Search(states, start, goal, enough, self.peak) for states, start, goal in self._ways]
        looked = 0
        while not any(s.over for s in searches) and looked < most_states and time.perf_counter() < until:
            level = max(s.level for s in searches)
            for search in searches:
                search.raise_to(level)
                search.run(_TURN)
            looked = sum(s.expanded for s in searches)
        self.states += looked
        for way, search in enumerate(searches):
            if search.order is not None:
                self._offer(search.order, way)
            if search.level > enough:
                self.level = max(self.level, search.level)
