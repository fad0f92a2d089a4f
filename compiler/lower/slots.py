"""Software-managed buffers: slots of one memory, and which unit of data each holds at every point of the program."""

from __future__ import annotations

import bisect
from collections.abc import Hashable, Mapping, Sequence

__all__ = ["CONTENTS", "Slots", "TooSmall"]

_NEVER = 1 << 60
_SOON = 1  # steps ahead for which room is made at any price

#: What the kinds of units are called in messages.
CONTENTS = {"x": "the activations of a tile", "w": "the weights of a tile", "bias": "the constants of a tile",
            "acc": "the sums of a tile", "y": "the results of a tile", "r": "the residual operand of a tile"}


class TooSmall(Exception):
    """A buffer cannot hold what a mapping wants it to."""


class Slots:
    """Slots at ``bases`` of ``memory``; a unit stays until another one needs its place.

    The whole sequence of uses is known, so the unit that is needed last gives way (Belady), and one that is needed
    before the newcomer never does. So what fits stays resident, and what does not is double-buffered, by one rule.

    Parameters
    ----------
    uses : mapping of unit to sequence of int
        The steps at which each unit is needed, ascending.
    """

    def __init__(self, memory: str, bases: Sequence[int], uses: Mapping[Hashable, Sequence[int]]):
        self.memory, self.bases, self.uses = memory, tuple(bases), uses
        self.held: list[Hashable | None] = [None] * len(bases)
        self.last = [-1] * len(bases)  # the latest step that uses what each slot holds, among those begun
        self.coverage: dict[Hashable, list[tuple[int, int]]] = {}

    def base(self, unit: Hashable) -> int:
        """Byte address of a held unit."""
        return self.bases[self.held.index(unit)]

    def next_use(self, unit: Hashable | None, step: int) -> int:
        uses = self.uses.get(unit, ())
        i = bisect.bisect_left(uses, step)
        return uses[i] if i < len(uses) else _NEVER

    def claim(self, unit: Hashable, step: int, now: int) -> bool:
        """Makes room for ``unit``, which ``step`` needs, while step ``now`` is the latest in the program.

        False if every slot holds something that is needed no later. Slots not in use longest come first among equals.
        """
        if unit in self.held:
            return True
        best, keep = None, -1
        for k, held in enumerate(self.held):
            reuse = self.next_use(held, now)
            if reuse <= step:  # needed before the newcomer, or in use
                keep = max(keep, self.next_use(held, step + 1))
                continue
            rank = (reuse, -self.last[k], -k)
            if best is None or rank > best[0]:
                best = rank, k
        if best is None:
            return False
        if step > now + _SOON and keep > best[0][0]:
            return False  # one that is still needed will be the better choice once it was used
        k = best[1]
        self.coverage.pop(self.held[k], None)
        self.held[k], self.last[k] = unit, -1
        self.coverage[unit] = []
        return True

    def touch(self, unit: Hashable, step: int) -> None:
        """Step ``step`` uses ``unit``."""
        self.last[self.held.index(unit)] = step

    def missing(self, unit: Hashable, low: int, high: int) -> list[tuple[int, int]]:
        """Parts of ``low..high`` (exclusive) of a held unit that are not there yet; they count as loaded from now on."""
        gaps, at = [], low
        for a, b in sorted(self.coverage[unit]):
            if b <= at or a >= high:
                continue
            if a > at:
                gaps.append((at, a))
            at = max(at, b)
        if at < high:
            gaps.append((at, high))
        self.coverage[unit] += gaps
        return gaps
