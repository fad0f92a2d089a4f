"""Offers instructions to an engine, counts its pulses and holds its handshake rules."""

from __future__ import annotations

import random
from collections.abc import Sequence

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from tenon.tb.axi_memory import bit

__all__ = ["EngineDriver", "reset"]


async def reset(dut) -> None:
    """Starts the clock and leaves the component freshly reset."""
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    dut.rst.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


class EngineDriver:
    """An agent of ``tb.axi_memory.step``.

    Attributes
    ----------
    offered, taken, released, done : list of int
        Cycle of each instruction's events.
    errors, bank_stalls, bus_stalls : int
        Cycles with ``o_error``, ``o_stall_bank``, ``o_stall_bus``.
    """

    def __init__(self, dut, instructions: Sequence[bytes], rng: random.Random, gap: float = 0.0):
        self._dut, self._rng, self._gap = dut, rng, gap
        self._words = [int.from_bytes(text, "little") for text in instructions]
        self._valid = False
        dut.i_valid.value = 0
        self.offered: list[int] = []
        self.taken: list[int] = []
        self.released: list[int] = []
        self.done: list[int] = []
        self.errors = self.bank_stalls = self.bus_stalls = 0

    @property
    def finished(self) -> bool:
        return len(self.done) == len(self._words)

    def drive(self, now: int) -> None:
        if not self._valid and len(self.taken) < len(self._words) and self._rng.random() >= self._gap:
            self._valid = True
            self._dut.i_instr.value = self._words[len(self.taken)]
            self.offered.append(now)
        self._dut.i_valid.value = self._valid

    def sample(self, now: int) -> None:
        dut = self._dut
        busy = bit(dut.o_busy)
        assert busy or len(self.done) == len(self.offered), "o_busy is low while an instruction is in flight"
        assert not busy or len(self.done) < len(self.offered), "o_busy is high with nothing in flight"
        if bit(dut.o_release):
            self.released.append(now)
        if bit(dut.o_done):
            self.done.append(now)
        assert len(self.done) <= len(self.released) <= len(self.offered), "more pulses than instructions"
        self.errors += bit(dut.o_error)
        self.bank_stalls += bit(dut.o_stall_bank)
        self.bus_stalls += bit(dut.o_stall_bus)
        if self._valid and bit(dut.i_ready):
            self.taken.append(now)
            self._valid = False
