"""LOAD against its model: memory images, pulses, bus rules, and cycle counts with the standard DRAM."""

from __future__ import annotations

import itertools
import random

import cocotb
import numpy as np

from tenon.hw.encoding import ENCODING
from tenon.hw.load import LoadEngine
from tenon.tb.axi_memory import BusTiming, Held, ReadMemory, bit, integer, step
from tenon.tb.bench_params import bench_params
from tenon.tb.engine_driver import EngineDriver, reset
from tenon.tb.models import transfers

PARAMS = bench_params()
WIDTH = PARAMS.bus_bytes
MNEMONIC = LoadEngine.mnemonic(PARAMS)
BASES = (0x8000_0000, 0x0001_2345, 0xFFFF_F003, 0x4000_0FFD)
SPACE = 1 << 20


class WritePort:
    """The memories behind the write port, as bytes; counts words written."""

    def __init__(self, dut, memories: list[np.ndarray], rng: random.Random, stall: float):
        self._dut, self._memories, self._rng, self._stall = dut, memories, rng, stall
        self._held = Held("write")
        self.words, self.first = 0, None

    def drive(self, now: int) -> None:
        self._grant = self._rng.random() >= self._stall
        self._dut.w_grant.value = self._grant

    def sample(self, now: int) -> None:
        dut = self._dut
        if not bit(dut.w_en):
            self._held.check(False, self._grant, None)
            return
        memory, address, word, mask = (integer(s) for s in (dut.w_mem, dut.w_addr, dut.w_data, dut.w_mask))
        self._held.check(True, self._grant, (memory, address, word, mask))
        assert address % WIDTH == 0 and mask, f"write of lanes {mask:#x} at {address:#x}"
        if self._grant:
            self.words += 1
            self.first = now if self.first is None else self.first
            lanes = np.array([mask >> j & 1 for j in range(WIDTH)], bool)
            view = self._memories[memory][address:address + WIDTH]
            view[lanes] = np.frombuffer(word.to_bytes(WIDTH, "little"), np.uint8)[lanes]


def words_of(fields) -> int:
    """Words that an instruction writes."""
    return sum((d % WIDTH + fields["n"] + WIDTH - 1) // WIDTH for (d,) in transfers.runs(fields, ("d",)))


async def run(dut, instructions, timing, *, stall=0.0, gap=0.0, seed=1):
    """Executes instructions, checks memories and pulses; returns the driver, the bus and the write port."""
    rng = random.Random(seed)
    memories = [np.frombuffer(rng.randbytes(SPACE), np.uint8).copy() for _ in range(5)]
    expected = [memory.copy() for memory in memories]
    for fields in instructions:
        transfers.load(fields, BASES[fields["seg"]], expected)
    expected_words = list(itertools.accumulate(map(words_of, instructions)))
    dut.base.value = sum(base << 32 * i for i, base in enumerate(BASES))
    driver = EngineDriver(dut, [ENCODING.encode(MNEMONIC, fields) for fields in instructions], rng, gap)
    bus = ReadMemory(dut, lambda a, n: transfers.dram_bytes(a, n).tobytes(), timing, rng, PARAMS.burst_beats)
    port = WritePort(dut, memories, rng, stall)
    await reset(dut)
    now = idle = progress = since = 0
    while idle < 5:
        await step(dut, now, bus, port, driver)
        now += 1
        done = len(driver.done)
        assert not done or port.words >= expected_words[done - 1], f"done {done} comes before the last word is written"
        idle += driver.finished
        if port.words + bus.beats > progress:
            progress, since = port.words + bus.beats, now
        assert now - since < 1000, f"stuck with {done} of {len(instructions)} instructions done"
    assert port.words == expected_words[-1], f"{port.words} words written, expected {expected_words[-1]}"
    for name, memory, want in zip(("act", "wgt", "vec", "par", "tab"), memories, expected, strict=True):
        wrong = np.flatnonzero(memory != want)
        assert not wrong.size, f"{wrong.size} bytes of {name} are wrong, the first at {wrong[0]:#x}"
    assert driver.errors == bus.errors
    return driver, bus, port


def plain(n, runs, *, stride, s=0, d=0):
    """A LOAD without guard: ``runs`` runs of ``n`` bytes, ``stride`` apart in DRAM, dense on chip."""
    return MNEMONIC.complete({"n": n, "n_l0": runs, "s": s, "s_l0": stride, "d": d, "d_l0": n, "y_lim": 1, "x_lim": 1})


def corners() -> list[dict]:
    """Instructions of kinds that random ones seldom are."""
    row = plain(8 * WIDTH, 3, stride=4096 - 8) | {"x_run": 1, "x_lim": 5 * WIDTH}
    return [
        row | {"seg": 2, "s": 0xFFD - 2 * WIDTH, "d": 3},  # over the end of addresses
        row | {"x": -WIDTH - 1, "s": 1}, row | {"x": -3 * WIDTH, "d": 5},  # fill on both sides
        row | {"x": -8 * WIDTH, "x_l0": 4 * WIDTH, "d": 2},
        row | {"mem": 4, "x_lim": 0}, row | {"x": -WIDTH, "x_lim": 0},  # nothing
        row | {"mem": 3, "x": -8 * WIDTH + 1},  # the last byte alone
    ]


def kinds(fields) -> set[str]:
    """What is special about the runs of an instruction."""
    found, n = set(), fields["n"]
    for s, d, y, x in transfers.runs(fields, ("s", "d", "y", "x")):
        valid = np.flatnonzero(transfers.valid_bytes(fields, y, x))
        found.add(f"turned by {(s + BASES[fields['seg']] - d) % WIDTH}")
        found.add(f"from lane {d % WIDTH}")
        found.add(f"to lane {(d + n) % WIDTH}")
        if not valid.size:
            found.add("all fill")
            continue
        first, last = int(valid[0]), int(valid[-1])
        found |= {"fill before"} if first else set()
        found |= {"fill after"} if last < n - 1 else set()
        found |= {"fill around"} if first and last < n - 1 else set()
        source = BASES[fields["seg"]] + s
        found |= {"crosses a page"} if (source + first) >> 12 != (source + last) >> 12 else set()
        found |= {"crosses the end of addresses"} if (source + first) >> 32 != (source + last) >> 32 else set()
        found |= {"one byte"} if first == last else set()
    return found


ALL_KINDS = {*(f"{what} {i}" for what in ("turned by", "from lane", "to lane") for i in range(WIDTH)), "all fill",
             "fill before", "fill after", "fill around", "crosses a page", "crosses the end of addresses", "one byte"}

ROUGH = {
    "smooth": (BusTiming(latency=5), {}),
    "bus": (BusTiming(latency=17, stall=0.3, gap=0.3), {}),
    "port": (BusTiming(latency=1), {"stall": 0.4, "gap": 0.5}),
    "both": (BusTiming(latency=40, stall=0.5, gap=0.1), {"stall": 0.15, "gap": 0.9}),
}


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(rough=list(ROUGH))
async def random_instructions(dut, rough):
    rng = random.Random(f"load {rough} {WIDTH}")
    instructions = [transfers.random_load(rng, WIDTH) for _ in range(120)] + corners()
    rng.shuffle(instructions)
    timing, port = ROUGH[rough]
    driver, bus, _ = await run(dut, instructions, timing, **port)
    missing = ALL_KINDS - set().union(*map(kinds, instructions))
    assert not missing, f"stimulus never had: {sorted(missing)}"
    assert {f["mem"] for f in instructions} == set(range(5)) and {f["seg"] for f in instructions} == set(range(4))
    assert bool(driver.bank_stalls) == ("stall" in port)
    assert driver.bus_stalls or not timing.stall


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(coordinate=["y", "x"])
async def far_coordinates(dut, coordinate):
    """A guard's coordinates do not wrap round, however far their strides lead."""
    fields = plain(1, 2100, stride=1) | {f"{coordinate}_l0": -(2**15) if coordinate == "y" else -(2**23)}
    _, bus, _ = await run(dut, [fields], STANDARD)
    assert bus.beats == 1, "only the first byte is inside"


STANDARD = BusTiming()
IN_FLIGHT = min(PARAMS.max_outstanding, STANDARD.outstanding)
# Cycles of an instruction beside its beats and the memory's latency.
OVERHEAD = LoadEngine.request_cycles + LoadEngine.finish_cycles - 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(n=[8192, 4096, 64, 32], offset=[0, 1])
async def full_rate(dut, n, offset):
    """Long runs and short strided ones move one beat per cycle; a misaligned run costs its further word and a cycle."""
    runs = max(1, 1000 * WIDTH // n)
    driver, _, port = await run(dut, [plain(n, runs, stride=max(n, 4096) + 64 * WIDTH, s=offset)], STANDARD)
    cycles = driver.done[0] - driver.offered[0]
    latency_bound = runs * (41 + (n - 1 + offset) // WIDTH) / IN_FLIGHT
    limit = max(port.words + (runs if offset else 0), latency_bound) + 40 + OVERHEAD
    assert cycles <= limit, f"{cycles} cycles for {port.words} words in {runs} runs, allowed are {limit}"
    if latency_bound < port.words and not offset:
        assert cycles == limit, f"{cycles} cycles, the engine states {limit}"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def longest_run(dut):
    await run(dut, [plain(65536, 1, stride=0, s=1, d=2**20 - 65536)], BusTiming(latency=1))


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def single_beats(dut):
    """Runs of one beat go as fast as the bursts in flight allow: 32 in 42 cycles with the standard DRAM, as a place is used again
    a cycle after it is free."""
    runs = 640
    driver, bus, _ = await run(dut, [plain(WIDTH, runs, stride=1000 * WIDTH)], STANDARD)
    cycles = driver.done[0] - driver.offered[0]
    limit = runs * 42 / IN_FLIGHT + 40 + OVERHEAD
    assert bus.peak == IN_FLIGHT
    assert cycles <= limit, f"{cycles} cycles for {runs} beats, allowed are {limit:.0f}"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def instructions_follow(dut):
    """Instructions of a few runs, one after the other, move one beat per cycle together; so does fill."""
    inside = [plain(4 * WIDTH, 4, stride=8192, d=64 * WIDTH * i) for i in range(40)]
    filled = [plain(4 * WIDTH, 4, stride=8192, d=64 * WIDTH * i) | {"y_lim": 0} for i in range(10)]
    driver, bus, port = await run(dut, inside + filled, STANDARD)
    assert bus.beats == 40 * 16 and port.words == 50 * 16
    cycles = driver.done[-1] - driver.offered[0]
    assert cycles <= 50 * 16 + 40 + OVERHEAD, f"{cycles} cycles for {50 * 16} words"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def bus_errors(dut):
    """Beats answered with an error are reported, one pulse each, and everything finishes."""
    rng = random.Random(3)
    instructions = [transfers.random_load(rng, WIDTH) for _ in range(15)]
    _, bus, _ = await run(dut, instructions, BusTiming(latency=9, stall=0.1, error=lambda a: a // WIDTH % 3 == 0))
    assert bus.errors > 20
