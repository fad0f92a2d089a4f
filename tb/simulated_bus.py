"""AXI4 subordinates for benches in Amaranth's simulator: memories that are late at random, refuse some addresses and check bursts."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from tenon.hw.axi import OKAY, PAGE_BYTES, SLVERR

__all__ = ["ReadSide", "WriteSide"]


class _Side:
    """One of a memory's sides. ``members`` gives a channel's signal by name."""

    def __init__(self, part: object, prefix: str, bits: int, rng: random.Random, patience: float):
        self._part, self._prefix, self._width, self._rng, self._patience = part, prefix, bits // 8, rng, patience

    def _of(self, name: str):
        return getattr(self._part, self._prefix + name)

    def _now(self) -> bool:
        return self._rng.random() < self._patience

    def _checked(self, address: int, beats: int) -> tuple[int, int]:
        assert address % self._width == 0, f"a burst begins within a word, at {address:#x}"
        assert address // PAGE_BYTES == (address + beats * self._width - 1) // PAGE_BYTES, f"a burst at {address:#x} crosses a page"
        return address, beats


class ReadSide(_Side):
    """``byte(address)`` is what is there, or None: then the answer is SLVERR. Call ``before`` and then ``after`` in every cycle."""

    def __init__(self, part: object, prefix: str, bits: int, byte: Callable[[int], int | None], rng: random.Random, patience: float = 0.7):
        super().__init__(part, prefix, bits, rng, patience)
        self._byte, self._asked, self._shown, self.read = byte, deque(), None, []

    def before(self, ctx) -> None:
        ctx.set(self._of("ar_ready"), len(self._asked) < 8 and self._now())
        if self._shown is None and self._asked and self._now():
            address, beats = self._asked[0]
            found = [self._byte(address + k) for k in range(self._width)]
            self._shown = (sum((b or 0) << 8 * k for k, b in enumerate(found)), OKAY if None not in found else SLVERR, beats == 1)
            self.read.append(address)
        ctx.set(self._of("r_valid"), self._shown is not None)
        for name, value in zip(("r_data", "r_resp", "r_last"), self._shown or (0, 0, 0)):
            ctx.set(self._of(name), value)

    def after(self, ctx) -> None:
        if self._shown is not None and ctx.get(self._of("r_ready")):
            address, beats = self._asked.popleft()
            if beats > 1:
                self._asked.appendleft((address + self._width, beats - 1))
            self._shown = None
        if ctx.get(self._of("ar_valid")) and ctx.get(self._of("ar_ready")):
            self._asked.append(self._checked(ctx.get(self._of("ar_addr")), ctx.get(self._of("ar_len")) + 1))


class WriteSide(_Side):
    """``store(address, byte)`` writes, or answers False: then the answer is SLVERR. Call ``before`` and then ``after`` in every cycle."""

    def __init__(self, part: object, prefix: str, bits: int, store: Callable[[int, int], bool], rng: random.Random, patience: float = 0.7):
        super().__init__(part, prefix, bits, rng, patience)
        self._store, self._asked, self._answers, self._shown, self._good = store, deque(), deque(), None, True

    def before(self, ctx) -> None:
        ctx.set(self._of("aw_ready"), len(self._asked) < 8 and self._now())
        ctx.set(self._of("w_ready"), bool(self._asked) and self._now())
        if self._shown is None and self._answers and self._now():
            self._shown = self._answers.popleft()
        ctx.set(self._of("b_valid"), self._shown is not None)
        ctx.set(self._of("b_resp"), self._shown or OKAY)

    def after(self, ctx) -> None:
        if self._shown is not None and ctx.get(self._of("b_ready")):
            self._shown = None
        if ctx.get(self._of("w_valid")) and ctx.get(self._of("w_ready")):
            address, beats = self._asked.popleft()
            data, strobes = ctx.get(self._of("w_data")), ctx.get(self._of("w_strb"))
            assert ctx.get(self._of("w_last")) == (beats == 1), "WLAST is not the burst's last beat"
            for k in range(self._width):
                if strobes >> k & 1:
                    self._good &= self._store(address + k, data >> 8 * k & 0xFF)
            if beats > 1:
                self._asked.appendleft((address + self._width, beats - 1))
            else:
                self._answers.append(OKAY if self._good else SLVERR)
                self._good = True
        if ctx.get(self._of("aw_valid")) and ctx.get(self._of("aw_ready")):
            self._asked.append(self._checked(ctx.get(self._of("aw_addr")), ctx.get(self._of("aw_len")) + 1))
