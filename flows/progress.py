"""How far simulated runs have come, how fast they go, and when they will be done."""

from __future__ import annotations

import time
from collections.abc import Callable

from tenon.compiler.program import Program
from tenon.tb.functional import decode_program
from tenon.tb.model import Deadlock, simulate_program
from tenon.tb.rtl import Dram

__all__ = ["Progress", "expected_cycles"]


def expected_cycles(program: Program, dram: Dram) -> int | None:
    """Cycles of a run by the cycle model, which knows the DRAM's latency but not its stalls; None if it finds no end."""
    try:
        return simulate_program(decode_program(program.image(), program.covenant), program.covenant, latency=dram.latency).cycles
    except Deadlock:  # in RTL the run then says the same, with what hardware knows
        return None


class Progress:
    """Says in a line how far ``runs`` of ``expected`` cycles each have come.

    Parameters
    ----------
    clock : callable
        Seconds, from any origin.
    """

    def __init__(self, runs: int, expected: int | None = None, clock: Callable[[], float] = time.monotonic):
        self._runs, self._expected, self._clock = runs, expected, clock
        self._number = self._cycles = self._before = 0  # the run, its cycles so far, cycles of the runs before it
        self._first: tuple[float, int] | None = None  # when cycles were first seen, and how many: what is before is no simulation

    def text(self, number: int, cycles: int) -> str:
        """``number``: of the run, from 0; ``cycles``: of that run so far, 0 if nobody counts them."""
        line = f"simulating run {number + 1} of {self._runs}"
        if not cycles:
            return line
        if number != self._number:
            # A run in between may have been too short to be seen.
            self._before += (number - self._number - 1) * (self._expected or 0) + (self._expected or self._cycles)
            self._number = number
        self._cycles = cycles
        now, total = self._clock(), self._before + cycles
        line += f", {cycles:,} cycles"
        if self._first is None:
            self._first = now, total
            return line
        seconds, done = now - self._first[0], total - self._first[1]
        if seconds <= 0 or done <= 0:
            return line
        rate = done / seconds
        line += f", {_rounded(rate):,} cycles/s"
        if self._expected:
            whole = self._runs * self._expected
            line += f", {min(99, 100 * total // whole)} % done, {_duration(max(0, whole - total) / rate)} left"
        return line


def _rounded(rate: float) -> int:
    """Two significant digits: more of them would only flicker."""
    return int(float(f"{rate:.2g}"))


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"about {whole} s"
    if whole < 3600:
        return f"about {whole // 60} min {whole % 60:02} s"
    return f"about {whole // 3600} h {whole % 3600 // 60:02} min"
