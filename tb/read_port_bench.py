"""The shared read channels: two users with random requests, each of whom gets its own data in order."""

from __future__ import annotations

import random
from collections import deque

import cocotb

from tenon.hw.encoding import ENCODING
from tenon.tb.axi_memory import BusTiming, ReadMemory, bit, integer, step
from tenon.tb.bench_params import bench_params
from tenon.tb.engine_driver import reset
from tenon.tb.models.transfers import dram_bytes

PARAMS = bench_params()
WIDTH = PARAMS.bus_bytes


class User:
    """Asks for random bursts, at most ``most`` at a time, and checks each beat that comes back."""

    def __init__(self, dut, name: str, rng: random.Random, rate: float, most: int):
        self._dut, self._rng, self._rate, self._most = dut, rng, rate, most
        self._port = {s: getattr(dut, f"{name}_{s}", None)
                      for s in ("ar_valid", "ar_ready", "ar_addr", "ar_len", "r_valid", "r_ready", "r_data", "r_last")}
        self._request: tuple[int, int] | None = None
        self._due: deque[tuple[int, bool]] = deque()  # (address of a beat, whether it ends a burst)
        self._in_flight = 0
        self.bursts = 0

    @property
    def idle(self) -> bool:
        return not self._due

    def drive(self, now: int) -> None:
        port, rng = self._port, self._rng
        if self._request is None and self._in_flight < self._most and rng.random() < self._rate:
            self._request = (rng.randrange(2**32) & -4096, rng.randrange(4) if port["ar_len"] is not None else -1)
            port["ar_addr"].value = self._request[0]
            if port["ar_len"] is not None:
                port["ar_len"].value = self._request[1]
        port["ar_valid"].value = self._request is not None
        self._ready = True
        if port["r_ready"] is not None:
            self._ready = rng.random() < 0.7
            port["r_ready"].value = self._ready

    def sample(self, now: int) -> None:
        port = self._port
        if bit(port["r_valid"]) and self._ready:
            address, last = self._due.popleft()
            assert integer(port["r_data"]) == int.from_bytes(dram_bytes(address, WIDTH).tobytes(), "little")
            assert port["r_last"] is None or bit(port["r_last"]) == last
            self._in_flight -= last
        if self._request is not None and bit(port["ar_ready"]):
            address, length = self._request
            beats = length + 1 or ENCODING.bytes // WIDTH
            self._due.extend((address + i * WIDTH, i == beats - 1) for i in range(beats))
            self._in_flight += 1
            self.bursts += 1
            self._request = None

    def stop(self) -> None:
        self._rate = 0.0


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4], fetch_rate=[0.02, 0.5])
async def each_gets_its_own(dut, stall, fetch_rate):
    rng = random.Random(f"{stall} {fetch_rate}")
    timing = BusTiming(latency=20, outstanding=64, stall=stall, gap=stall)
    bus = ReadMemory(dut, lambda a, n: dram_bytes(a, n).tobytes(), timing, rng, 256)
    fetch = User(dut, "fetch", rng, fetch_rate, most=4)
    load = User(dut, "load", rng, 1.0, most=PARAMS.max_outstanding)
    for name in ("fetch_ar_valid", "load_ar_valid", "r_valid", "ar_ready"):
        getattr(dut, name).value = 0
    await reset(dut)
    for now in range(2500):
        if now == 2000:
            fetch.stop()
            load.stop()
        await step(dut, now, bus, fetch, load)
    assert fetch.idle and load.idle, "beats are missing"
    assert fetch.bursts > 20 and load.bursts > 100 and bus.peak > PARAMS.max_outstanding // 2
