"""Random histories of an FTL: commands, moves and flash in any order, failures and resets among them; every read is right, or lost as the
dies say; what hardware looked up is there until it was read."""

from __future__ import annotations

import random
from collections import Counter

from tenon.hw.storage.map_unit import GONE, NOWHERE
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import TRANSFER_PAGES, StorageParams
from tenon.tb.drive.ftl.library import BROKEN, Cells, Ftl

__all__ = ["History", "Wrong"]

_PROGRAM, _ERASE = 2, 3  # what ``work`` says of a die
_IDLE = 2000  # polls in a row after which nothing more will come


class Wrong(AssertionError):
    """The FTL did what it must not do."""


class History:
    """One drive, from its first power-on. ``run`` makes steps; ``seen`` counts what they were.

    Parameters
    ----------
    failures : int
        Programs and erases that fail, at most.
    unreadable : float
        Share of programs after which a page can not be read.
    """

    def __init__(self, params: StorageParams, cells: Cells, seed: int, *, failures: int = 2, unreadable: float = 0.002):
        self.params, self.rng, self.seen = params, random.Random(seed), Counter()
        self.cells, self.ftl = cells, Ftl(cells)
        self.failures, self.unreadable = failures, unreadable
        self.may: list[set[int]] = [{0} for _ in range(params.units)]  # what each block may hold
        self.ever: list[set[int]] = [{0} for _ in range(params.units)]  # what was ever written to it
        self.cleared: set[int] = set()  # blocks that were not written since
        self.slots: dict[int, tuple[str, int, int, list[int]]] = {}  # commands under way: kind, first, count, data
        self.busy: set[int] = set()
        self.looked: list[tuple[int, int, int]] = []  # block, unit, epoch: of hardware's reads
        self.number = 0

    def run(self, steps: int, *, whole: bool = True) -> None:
        """Makes steps; ``whole``: and lets what is under way end, and looks at every block. Raises ``Wrong``."""
        kinds = {"submit": 12, "move": 16, "flash": 34, "poll": 30, "look": 4, "read": 4, "reset": 0.1}
        hot = max(8, self.params.units // 8)
        for number in range(steps):
            # Many commands, or few; hardware's reads get their units soon, or late.
            slow = {"submit": 4 if number // 500 % 2 else 1, "read": 10 if number // 1500 % 2 else 1}
            kind = self.rng.choices(list(kinds), [weight / slow.get(kind, 1) for kind, weight in kinds.items()])[0]
            {"submit": lambda: self._submit(hot), "move": self._move, "flash": self._flash, "poll": self._poll, "look": self._look,
             "read": self._read, "reset": self._reset}[kind]()
            self._check()
        if whole:
            self.finish()

    def power(self) -> None:
        """Off, whatever is under way, and on. What was written is there; what was cleared may be anything that was ever written there."""
        for kind, *_ in self.slots.values():
            self.seen["cut"] += kind == "write"
        self.slots.clear()
        self.busy.clear()
        self.looked.clear()
        self.ftl = Ftl(self.cells)
        for block in self.cleared:
            self.may[block] |= self.ever[block]
        self.cleared.clear()
        self.seen["power"] += 1

    def finish(self) -> None:
        """Everything that is under way ends, and every block is what it may be."""
        self._drain()
        for first in range(0, self.params.units, TRANSFER_PAGES):
            count = min(TRANSFER_PAGES, self.params.units - first)
            if len(self.slots) == self.params.slots:
                self._drain()
            self._begin("read", first, count)
        self._drain()
        while self.looked:
            self._read()

    def _drain(self) -> None:
        idle = 0
        while self.slots:
            work = self.ftl.moves(0) + self.ftl.moves(1) + sum(self.ftl.work(d) != 0 for d in range(self.params.all_dies))
            self._move()
            self._flash()
            idle = 0 if self._poll() or work else idle + 1
            self._check()
            if self.looked:
                self._read()
            if idle > _IDLE:
                raise Wrong(f"{len(self.slots)} commands do not end")

    # Steps.

    def _submit(self, hot: int) -> None:
        if len(self.slots) == self.params.slots:
            return
        kind = self.rng.choices(["write", "read", "clear"], [60, 35, 5])[0]
        count = self.rng.choice([1, 1, 1, 2, self.rng.randint(1, 8), TRANSFER_PAGES])
        first = self.rng.randrange((hot if self.rng.random() < 0.7 else self.params.units) - count + 1) if count <= hot else 0
        self._begin(kind, first, count)

    def _begin(self, kind: str, first: int, count: int) -> None:
        blocks = set(range(first, first + count))
        if blocks & self.busy:
            return
        slot = next(s for s in range(self.params.slots) if s not in self.slots)
        self.seen[kind] += 1
        self.busy |= blocks
        data = []
        if kind == "write":
            data = [(self.number + k + 1) << 20 | (first + k) for k in range(count)]
            self.number += count
        self.slots[slot] = kind, first, count, data
        for k, block in enumerate(range(first, first + count)):
            if kind == "write":
                self.may[block].add(data[k])
                self.ever[block].add(data[k])
            elif kind == "clear":
                self.may[block].add(0)
                self.cleared.add(block)
        if kind == "write":
            self.ftl.write(slot, first, data)
        else:
            (self.ftl.read if kind == "read" else self.ftl.clear)(slot, first, count)

    def _move(self) -> None:
        which = self.rng.randrange(2)
        if self.ftl.moves(which):
            self.ftl.move(which)

    def _flash(self) -> None:
        dies = [d for d in range(self.params.all_dies) if self.ftl.work(d)]
        if not dies:
            return
        die = self.rng.choice(dies)
        work = self.ftl.work(die)
        fails = work in (_PROGRAM, _ERASE) and self.failures > 0 and self.rng.random() < 0.003
        unreadable = work == _PROGRAM and self.rng.random() < self.unreadable
        self.failures -= fails
        self.seen["failed"] += fails
        self.seen["unreadable"] += unreadable
        self.seen["erased"] += work == _ERASE
        self.ftl.finish(die, fails, unreadable)

    def _poll(self) -> bool:
        return bool(self.ftl.poll())

    def _look(self) -> None:
        block = self.rng.randrange(self.params.units)
        entry = self.ftl.look(block) & GONE
        if entry not in (NOWHERE, GONE) and len(self.looked) < self.params.slots:
            epoch = self.ftl.epoch()
            self.ftl.fast(epoch, 1)
            self.looked.append((block, entry - 1, epoch))

    def _read(self) -> None:
        """One of hardware's reads gets its unit: whatever was written to the block since, the unit is as it was."""
        if not self.looked:
            return
        block, unit, epoch = self.looked.pop(self.rng.randrange(len(self.looked)))
        state, value = self.ftl.value_of(unit)
        if state in (0, 3) or (state == 1 and value & 0xFFFFF != block):
            raise Wrong(f"unit {unit} was erased before block {block} was read from it")
        self.seen["looked up"] += 1
        self.ftl.fast(epoch, -1)

    def _reset(self) -> None:
        self.ftl.reset()
        self.slots.clear()
        self.busy.clear()
        self.seen["reset"] += 1

    # What must hold.

    def _check(self) -> None:
        broken = self.ftl.broken()
        if broken:
            raise Wrong("; ".join(text for bit, text in enumerate(BROKEN) if broken >> bit & 1))
        for slot in list(self.slots):
            kind, first, count, data = self.slots[slot]
            ended = self.ftl.ended(slot, count)
            if ended is None:
                continue
            del self.slots[slot]
            self.busy -= set(range(first, first + count))
            status, found = ended
            if status == Status.UNRECOVERED_READ_ERROR.word() and kind == "read":
                if not any(self._lost(block) for block in range(first, first + count)):
                    raise Wrong(f"blocks {first} to {first + count - 1} are said to be lost and are not")
                self.seen["lost"] += 1
                continue
            if status != Status.SUCCESS.word():
                raise Wrong(f"a {kind} ends with status {status:#x}")
            for k, block in enumerate(range(first, first + count)):
                if kind == "write":
                    self.may[block] = {data[k]}
                    self.cleared.discard(block)
                elif kind == "clear":
                    self.may[block] = {0}
                elif found[k] not in self.may[block]:
                    raise Wrong(f"block {block} is {found[k]:#x}, not one of {[hex(v) for v in self.may[block]]}")
                else:
                    self.may[block] = {found[k]}

    def _lost(self, block: int) -> bool:
        entry = self.ftl.look(block) & GONE
        return entry == GONE or (entry != NOWHERE and self.ftl.value_of(entry - 1)[0] == 2)
