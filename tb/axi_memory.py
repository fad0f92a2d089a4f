"""AXI4 memories in Python for the benches of single engines: standard timing, or random stalls, gaps and errors.

They are stepped: ``drive`` sets what the memory offers in a cycle, ``sample`` looks at the settled signals before its
clock edge. Whole systems use the memory in ``dram.sv``, which is a hundred times as fast.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cocotb.triggers import FallingEdge, RisingEdge

__all__ = ["PAGE_BYTES", "BusTiming", "Held", "ReadMemory", "WriteMemory", "bit", "integer", "step"]

PAGE_BYTES = 4096


@dataclass
class BusTiming:
    """How a memory behaves. The values given are those of the standard DRAM, alone on its bus."""

    latency: int = 40  # cycles from a request to its first beat, and from a last write beat to its response
    outstanding: int = 32
    stall: float = 0.0  # probability that a request, a write beat or a response waits for one more cycle
    gap: float = 0.0  # the same for a read beat
    needs_data_first: bool = False  # takes a write request only when its data is offered, as AXI4 allows
    error: Callable[[int], bool] = field(default=lambda address: False)  # which addresses answer with SLVERR


async def step(dut, now: int, *agents) -> None:
    """One clock cycle: each agent drives, then all look at the settled signals."""
    for agent in agents:
        agent.drive(now)
    await FallingEdge(dut.clk)
    for agent in agents:
        agent.sample(now)
    await RisingEdge(dut.clk)


def integer(signal) -> int:
    return signal.value.to_unsigned()


def bit(signal) -> bool:
    return bool(signal.value)


class Held:
    """Fails if a payload on offer changes, or is withdrawn, before it is taken."""

    def __init__(self, what: str):
        self._what, self._payload = what, None

    def check(self, valid: bool, ready: bool, payload: object) -> None:
        if self._payload is not None:
            assert valid, f"{self._what} withdrawn before it was taken"
            assert payload == self._payload, f"{self._what} changed from {self._payload} to {payload} before it was taken"
        self._payload = payload if valid and not ready else None


def _check_request(address: int, length: int, width: int, limit: int) -> None:
    assert address % width == 0, f"request at {address:#x} is not aligned to the bus"
    assert length < limit, f"burst of {length + 1} beats, allowed are {limit}"
    assert address // PAGE_BYTES == (address + (length + 1) * width - 1) // PAGE_BYTES, \
        f"burst of {length + 1} beats at {address:#x} crosses a page"


class ReadMemory:
    """Answers reads with ``content(address) -> byte``-strings; records what was asked for.

    Attributes
    ----------
    bursts : list of (address, beats)
    beats, errors, peak : int
        Beats given, those with an error, most bursts in flight.
    """

    def __init__(self, dut, content: Callable[[int, int], bytes], timing: BusTiming, rng: random.Random, limit: int):
        self._dut, self._content, self._timing, self._rng, self._limit = dut, content, timing, rng, limit
        self._width = len(dut.r_data) // 8
        self._queue: deque[list[int]] = deque()  # [due, address, beats left]
        self._held, self._valid = Held("AR"), False
        self.bursts: list[tuple[int, int]] = []
        self.beats = self.errors = self.peak = 0

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for has been answered."""
        return not self._queue

    def drive(self, now: int) -> None:
        dut, timing, queue = self._dut, self._timing, self._queue
        self._ready = len(queue) < timing.outstanding and self._rng.random() >= timing.stall
        dut.ar_ready.value = self._ready
        if not self._valid and queue and now >= queue[0][0] and self._rng.random() >= timing.gap:
            self._valid = True
            address, left = queue[0][1:]
            dut.r_data.value = int.from_bytes(self._content(address, self._width), "little")
            dut.r_resp.value = 2 if timing.error(address) else 0
            dut.r_last.value = left == 1
        dut.r_valid.value = self._valid

    def sample(self, now: int) -> None:
        dut, queue = self._dut, self._queue
        valid = bit(dut.ar_valid)
        request = (integer(dut.ar_addr), integer(dut.ar_len)) if valid else None
        self._held.check(valid, self._ready, request)
        if self._valid and bit(dut.r_ready):
            front = queue[0]
            self.beats += 1
            self.errors += self._timing.error(front[1])
            front[1] += self._width
            front[2] -= 1
            if not front[2]:
                queue.popleft()
            self._valid = False
        if valid and self._ready:
            address, length = request
            _check_request(address, length, self._width, self._limit)
            self.bursts.append((address, length + 1))
            queue.append([now + self._timing.latency, address, length + 1])
            self.peak = max(self.peak, len(queue))


class WriteMemory:
    """Takes writes into ``image`` (address to byte); records what was asked for.

    Attributes
    ----------
    bursts : list of (address, beats)
    beats, errors, peak, responses : int
        Beats taken, bursts answered with an error, most bursts in flight, responses given.
    """

    def __init__(self, dut, image: dict[int, int], timing: BusTiming, rng: random.Random, limit: int):
        self._dut, self._image, self._timing, self._rng, self._limit = dut, image, timing, rng, limit
        self._width = len(dut.w_data) // 8
        self._requests: deque[list[int]] = deque()  # [due, address, beats left, any error]
        self._data: deque[tuple[int, int, bool]] = deque()  # taken before their request was
        self._answers: deque[tuple[int, int]] = deque()  # (due, response)
        self._held_aw, self._held_w = Held("AW"), Held("W")
        self._answering = False
        self.bursts: list[tuple[int, int]] = []
        self.beats = self.errors = self.peak = self.responses = 0

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for has been answered."""
        return not (self._requests or self._data or self._answers)

    def drive(self, now: int) -> None:
        dut, timing, rng = self._dut, self._timing, self._rng
        in_flight = len(self._requests) + len(self._answers)
        self._aw_ready = in_flight < timing.outstanding and rng.random() >= timing.stall
        if timing.needs_data_first:
            self._aw_ready &= bool(self._data)
            self._w_ready = rng.random() >= timing.stall
        else:
            self._w_ready = bool(self._requests) and now >= self._requests[0][0] and rng.random() >= timing.stall
        dut.aw_ready.value, dut.w_ready.value = self._aw_ready, self._w_ready
        if not self._answering and self._answers and now >= self._answers[0][0] and rng.random() >= timing.stall:
            self._answering = True
            dut.b_resp.value = self._answers[0][1]
        dut.b_valid.value = self._answering

    def sample(self, now: int) -> None:
        dut = self._dut
        aw_valid, w_valid = bit(dut.aw_valid), bit(dut.w_valid)
        request = (integer(dut.aw_addr), integer(dut.aw_len)) if aw_valid else None
        beat = (integer(dut.w_data), integer(dut.w_strb), bit(dut.w_last)) if w_valid else None
        self._held_aw.check(aw_valid, self._aw_ready, request)
        self._held_w.check(w_valid, self._w_ready, beat)
        if self._answering and bit(dut.b_ready):
            self.errors += self._answers.popleft()[1] != 0
            self.responses += 1
            self._answering = False
        if w_valid and self._w_ready:
            self.beats += 1
            self._data.append(beat)
        if aw_valid and self._aw_ready:
            address, length = request
            _check_request(address, length, self._width, self._limit)
            self.bursts.append((address, length + 1))
            self._requests.append([now + self._timing.latency, address, length + 1, 0])
        while self._data and self._requests:
            self._write(now, self._requests[0], *self._data.popleft())
        self.peak = max(self.peak, len(self._requests) + len(self._answers))

    def _write(self, now: int, front: list[int], word: int, strobes: int, last: bool) -> None:
        assert last == (front[2] == 1), f"WLAST is {int(last)} with {front[2]} beats left"
        for lane, byte in enumerate(word.to_bytes(self._width, "little")):
            if strobes >> lane & 1:
                self._image[front[1] + lane] = byte
        front[3] |= self._timing.error(front[1])
        front[1] += self._width
        front[2] -= 1
        if last:
            self._requests.popleft()
            self._answers.append((now + self._timing.latency, 2 if front[3] else 0))
