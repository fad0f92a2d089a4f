"""STORE against its model: memory images, pulses, bus rules, and cycle counts with the standard DRAM."""

from __future__ import annotations

import itertools
import random

import cocotb
import numpy as np

from tenon.hw.encoding import ENCODING
from tenon.hw.store import StoreEngine
from tenon.tb.axi_memory import PAGE_BYTES, BusTiming, Held, WriteMemory, bit, integer, step
from tenon.tb.bench_params import bench_params
from tenon.tb.engine_driver import EngineDriver, reset
from tenon.tb.models import transfers

PARAMS = bench_params()
WIDTH = PARAMS.bus_bytes
MNEMONIC = StoreEngine.mnemonic(PARAMS)
BASES = (0x8000_0000, 0x0001_2345, 0xFFFF_F003, 0x4000_0FFD)
SPACE = 1 << 20


class ReadPort:
    """The vector buffer behind the read port; data come in the cycle after the grant, and in that one only."""

    def __init__(self, dut, memory: bytes, rng: random.Random, stall: float):
        self._dut, self._memory, self._rng, self._stall = dut, memory, rng, stall
        self._held, self._data = Held("read"), None
        self.words = 0

    def drive(self, now: int) -> None:
        self._grant = self._rng.random() >= self._stall
        self._dut.r_grant.value = self._grant
        self._dut.r_data.value = int.from_bytes(self._data or self._rng.randbytes(WIDTH), "little")
        self._data = None

    def sample(self, now: int) -> None:
        enabled = bit(self._dut.r_en)
        address = integer(self._dut.r_addr) if enabled else None
        self._held.check(enabled, self._grant, address)
        if enabled and self._grant:
            assert address % WIDTH == 0, f"read at {address:#x}"
            self._data = self._memory[address:address + WIDTH]
            self.words += 1


def words_of(fields) -> int:
    """Words that an instruction reads."""
    return sum((s % WIDTH + fields["n"] + WIDTH - 1) // WIDTH for (s,) in transfers.runs(fields, ("s",)))


def bursts_of(fields) -> int:
    """Bursts that an instruction takes: a run is cut at multiples of the longest burst."""
    size = min(PARAMS.burst_beats * WIDTH, PAGE_BYTES)
    starts = [BASES[fields["seg"]] + d for (d,) in transfers.runs(fields, ("d",))]
    return sum((start + fields["n"] - 1) // size - start // size + 1 for start in starts)


async def run(dut, instructions, timing, *, stall=0.0, gap=0.0, seed=1):
    """Executes instructions, checks memory and pulses; returns the driver, the bus and the read port."""
    rng = random.Random(seed)
    memory = rng.randbytes(SPACE)
    image: dict[int, int] = {}
    expected: dict[int, int] = {}
    for fields in instructions:
        transfers.store(fields, BASES[fields["seg"]], np.frombuffer(memory, np.uint8), expected)
    dut.base.value = sum(base << 32 * i for i, base in enumerate(BASES))
    expected_words = list(itertools.accumulate(map(words_of, instructions)))
    expected_bursts = list(itertools.accumulate(map(bursts_of, instructions)))
    driver = EngineDriver(dut, [ENCODING.encode(MNEMONIC, fields) for fields in instructions], rng, gap)
    bus = WriteMemory(dut, image, timing, rng, PARAMS.burst_beats)
    port = ReadPort(dut, memory, rng, stall)
    await reset(dut)
    now = idle = progress = since = 0
    while idle < 5:
        await step(dut, now, bus, port, driver)
        now += 1
        released, done = len(driver.released), len(driver.done)
        assert not released or port.words >= expected_words[released - 1], f"release {released} comes too early"
        assert not done or bus.responses >= expected_bursts[done - 1], f"done {done} comes before the last response"
        idle += driver.finished
        if port.words + bus.beats + bus.responses > progress:
            progress, since = port.words + bus.beats + bus.responses, now
        assert now - since < 1000, f"stuck with {done} of {len(instructions)} instructions done"
    assert bus.responses == len(bus.bursts) == expected_bursts[-1] and port.words == expected_words[-1]
    wrong = [a for a in expected.keys() | image.keys() if expected.get(a) != image.get(a)]
    assert not wrong, f"{len(wrong)} bytes are wrong, the first at {min(wrong):#x}"
    assert driver.errors == bus.errors
    return driver, bus, port


def plain(n, runs, *, stride, s=0, d=0):
    """``runs`` runs of ``n`` bytes, dense on chip, ``stride`` apart in DRAM."""
    return MNEMONIC.complete({"n": n, "n_l0": runs, "s": s, "s_l0": n, "d": d, "d_l0": stride})


def corners() -> list[dict]:
    """Instructions of kinds that random ones seldom are."""
    over_the_end = {"seg": 2, "d": 0xFFD - 2 * WIDTH}
    return [plain(8 * WIDTH, 3, stride=4096 - 8, s=3) | over_the_end, plain(1, 5, stride=1, s=2**20 - 5),
            plain(WIDTH, 20, stride=-WIDTH, d=-8)]


def kinds(fields) -> set[str]:
    """What is special about the runs of an instruction."""
    found, n = set(), fields["n"]
    for s, d in transfers.runs(fields, ("s", "d")):
        first = BASES[fields["seg"]] + d
        last = first + n - 1
        found |= {f"turned by {(s - first) % WIDTH}", f"from lane {first % WIDTH}", f"to lane {(last + 1) % WIDTH}"}
        found |= {"crosses a page"} if first >> 12 != last >> 12 else set()
        found |= {"crosses the end of addresses"} if first >> 32 != last >> 32 else set()
        found |= {"one byte"} if n == 1 else set()
        found |= {"one beat"} if first // WIDTH == last // WIDTH else set()
    return found


ALL_KINDS = {*(f"{what} {i}" for what in ("turned by", "from lane", "to lane") for i in range(WIDTH)),
             "crosses a page", "crosses the end of addresses", "one byte", "one beat"}

ROUGH = {
    "smooth": (BusTiming(latency=5), {}),
    "bus": (BusTiming(latency=17, stall=0.3), {}),
    "port": (BusTiming(latency=1), {"stall": 0.4, "gap": 0.5}),
    "both": (BusTiming(latency=40, stall=0.5), {"stall": 0.15, "gap": 0.9}),
    "data_first": (BusTiming(latency=3, stall=0.2, needs_data_first=True), {"stall": 0.1}),
}


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(rough=list(ROUGH))
async def random_instructions(dut, rough):
    rng = random.Random(f"store {rough} {WIDTH}")
    instructions = [transfers.random_store(rng, WIDTH) for _ in range(120)] + corners()
    rng.shuffle(instructions)
    timing, port = ROUGH[rough]
    driver, _, _ = await run(dut, instructions, timing, **port)
    missing = ALL_KINDS - set().union(*map(kinds, instructions))
    assert not missing, f"stimulus never had: {sorted(missing)}"
    assert {f["seg"] for f in instructions} == set(range(4))
    assert bool(driver.bank_stalls) == ("stall" in port) and driver.bus_stalls


STANDARD = BusTiming()
IN_FLIGHT = min(PARAMS.max_outstanding, STANDARD.outstanding)
# Cycles of an instruction beside its beats and the memory's latency.
OVERHEAD = StoreEngine.request_cycles + StoreEngine.finish_cycles - 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(n=[8192, 4096, 64], offset=[0, 1])
async def full_rate(dut, n, offset):
    """Long runs and short strided ones move one beat per cycle; a misaligned run costs its further word and a cycle."""
    runs = max(1, 1000 * WIDTH // n)
    driver, bus, port = await run(dut, [plain(n, runs, stride=max(n, 4096) + 64 * WIDTH, s=offset)], STANDARD)
    cycles = driver.done[0] - driver.offered[0]
    latency_bound = runs * (81 + (n - 1) // WIDTH) / IN_FLIGHT
    limit = max(port.words, latency_bound) + 80 + OVERHEAD
    assert cycles <= limit, f"{cycles} cycles for {bus.beats} beats in {runs} runs, allowed are {limit}"
    if latency_bound < port.words and not offset:
        assert cycles == limit, f"{cycles} cycles, the engine states {limit}"
    assert driver.released[0] <= driver.done[0] - 40


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def longest_run(dut):
    await run(dut, [plain(65536, 1, stride=0, s=2**20 - 65536, d=1)], BusTiming(latency=1))


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(beats=[1, 2])
async def short_runs(dut, beats):
    """Short bursts go as fast as those in flight allow: each takes both latencies of the standard DRAM."""
    runs = 640
    driver, bus, _ = await run(dut, [plain(beats * WIDTH, runs, stride=1024 * WIDTH)], STANDARD)
    cycles = driver.done[0] - driver.offered[0]
    limit = runs * (80 + beats + 1) / IN_FLIGHT + 80 + OVERHEAD
    assert bus.peak == IN_FLIGHT
    assert cycles <= limit, f"{cycles} cycles for {runs * beats} beats, allowed are {limit:.0f}"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def instructions_follow(dut):
    """Instructions of a few runs, one after the other, move one beat per cycle together."""
    instructions = [plain(4 * WIDTH, 4, stride=8192, s=64 * WIDTH * i, d=64 * WIDTH * i) for i in range(40)]
    driver, bus, _ = await run(dut, instructions, STANDARD)
    cycles = driver.done[-1] - driver.offered[0]
    assert bus.beats == 40 * 16 and cycles <= 40 * 16 + 80 + OVERHEAD, f"{cycles} cycles for {bus.beats} beats"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def bus_errors(dut):
    """Bursts answered with an error are reported, one pulse each, and everything finishes."""
    rng = random.Random(3)
    instructions = [transfers.random_store(rng, WIDTH) for _ in range(25)]
    _, bus, _ = await run(dut, instructions, BusTiming(latency=9, stall=0.1, error=lambda a: a // WIDTH % 3 == 0))
    assert bus.errors > 20
