"""Software-managed buffers: slots of one memory, and which unit of data each holds at every point of the program."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Hashable, Mapping, Sequence

__all__ = ["Slots"]

_NEVER = 1 << 60
_SOON = 1  # steps ahead for which room is made at any price


class Slots:
    """Slots at ``bases`` of ``memory``; a unit stays until another one needs its place.

    The whole sequence of uses is known, so the unit that is needed last gives way (Belady), and one that is needed
    before the newcomer never does. So what fits stays resident, and what does not is double-buffered, by one rule.

    Parameters
    ----------
    uses : mapping of unit to sequence of int
        The steps at which each unit is needed, ascending. At each of them it is touched.
    """

    def __init__(self, memory: str, bases: Sequence[int], uses: Mapping[Hashable, Sequence[int]]):
        self.memory, self.bases = memory, tuple(bases)
        self.held: list[Hashable] = []  # what each slot holds, those in use so far
        self.place: dict[Hashable, int] = {}  # the slot of each held unit
        self._uses = {unit: [*steps, _NEVER] for unit, steps in uses.items()}
        self._next: list[tuple[list[int], int]] = []  # uses of what each slot holds, and how many of them are over, or more
        self._last: list[int] = []  # the latest step that uses it, among those begun
        self._over: deque[int] = deque()  # slots whose units were needed for the last time, in that order
        self._covered: dict[Hashable, list[tuple[int, int]]] = {}
        self._refused: tuple[Hashable, int] | None = None  # the claim that failed last, which does so until then
        self._until = 0

    def base(self, unit: Hashable) -> int:
        """Byte address of a held unit."""
        return self.bases[self.place[unit]]

    def claim(self, unit: Hashable, step: int, now: int) -> bool:
        """Makes room for ``unit``, which ``step`` needs, while step ``now`` is the latest in the program.

        False if every slot holds something that is needed no later. Slots not in use longest come first among equals.
        """
        if unit in self.place:
            return True
        if (unit, step) == self._refused and now < self._until:
            return False
        k = len(self.held)
        if k < len(self.bases):
            self.held.append(unit)
            self._last.append(-1)
            self._next.append(([], 0))
        else:
            over = self._over and self._last[self._over[0]] < now
            k = self._over.popleft() if over else self._giving_way(unit, step, now)
            if k is None:
                return False
            del self.place[self.held[k]], self._covered[self.held[k]]
        self.held[k], self._last[k], self._next[k] = unit, -1, (self._uses.get(unit, [-1, _NEVER]), 0)
        self.place[unit], self._covered[unit], self._refused = k, [], None
        return True

    def _giving_way(self, unit: Hashable, step: int, now: int) -> int | None:
        """The slot that ``claim`` takes, when all hold what is still needed."""
        best, latest = None, -1
        later, over = -1, _NEVER  # of what is needed before: the last to be needed after that, and when the first has been used
        for k, (uses, i) in enumerate(self._next):
            if uses[i] < now:
                i = bisect.bisect_left(uses, now, i)
                self._next[k] = uses, i
            reuse = uses[i]
            if reuse <= step:  # needed before the newcomer, or in use
                while uses[i] <= step:
                    i += 1
                later, over = max(later, uses[i]), min(over, uses[i - 1] + 1)
            elif reuse > latest or reuse == latest and self._last[k] < self._last[best]:
                best, latest = k, reuse
        if best is not None and (step <= now + _SOON or later <= latest):
            return best
        # One that is still needed will be the better choice once it was used, unless time is short.
        self._refused, self._until = (unit, step), over if best is None else min(over, step - _SOON)
        return None

    def touch(self, unit: Hashable, step: int) -> int:
        """Step ``step`` uses ``unit``: its byte address."""
        k = self.place[unit]
        if self._last[k] != step:
            self._last[k] = step
            if self._next[k][0][-2] == step:
                self._over.append(k)
        return self.bases[k]

    def missing(self, unit: Hashable, low: int, high: int) -> list[tuple[int, int]]:
        """Parts of ``low..high`` (exclusive) of a held unit that are not there yet; they count as loaded from now on."""
        covered = self._covered[unit]
        if len(covered) == 1 and covered[0][0] <= low and high <= covered[0][1]:
            return []
        gaps, at = [], low
        for a, b in covered:
            if b <= at or a >= high:
                continue
            if a > at:
                gaps.append((at, a))
            at = max(at, b)
        if at < high:
            gaps.append((at, high))
        if covered and covered[-1][1] == low:
            covered[-1] = covered[-1][0], high  # as it mostly goes: one part after the other
        elif gaps:
            self._covered[unit] = sorted([*covered, *gaps])
        return gaps
