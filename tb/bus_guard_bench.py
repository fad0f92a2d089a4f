"""The bus guard: random requests of both directions, windows, and cuts at any cycle."""

from __future__ import annotations

import random
from collections import deque

import cocotb

from tenon.hw.bursts import burst_limit
from tenon.hw.bus_guard import BusGuard
from tenon.tb.axi_memory import BusTiming, ReadMemory, WriteMemory, bit, integer, step
from tenon.tb.bench_params import bench_params
from tenon.tb.engine_driver import reset
from tenon.tb.models.transfers import dram_bytes

PARAMS = bench_params()
WIDTH = PARAMS.bus_bytes
TOP = 1 << PARAMS.address_bits
LONGEST = burst_limit(PARAMS) * WIDTH
#: Base and size: of one page and a half, of nothing, over the end of addresses, of everything from the last byte on.
WINDOWS = ((0x1_2345, 6000), (0x4000, 0), (TOP - 5000, 10_000), (TOP - 1, TOP - 1))


def inside(segment: int, address: int, beats: int) -> bool:
    """Whether a burst lies in its window, in whole bus words."""
    base, size = WINDOWS[segment]
    first, words = base // WIDTH, (base % WIDTH + size + WIDTH - 1) // WIDTH if size else 0
    return size == TOP - 1 or all((address // WIDTH + i - first) % (TOP // WIDTH) < words for i in range(beats))


def burst(rng: random.Random, outside: float) -> tuple[int, int, int]:
    """Segment, address and beats of a burst inside its segment's window; of any, with probability ``outside``."""
    wanted = rng.random() >= outside
    while True:
        segment = rng.randrange(4)
        base, size = WINDOWS[segment]
        address = (base + rng.randint(-20, min(size, 10_000) + 20)) % TOP // WIDTH * WIDTH
        beats = rng.randint(1, (LONGEST - address % LONGEST) // WIDTH)
        beats = rng.choice([1, min(beats, 4), beats])
        if not wanted or inside(segment, address, beats):
            return segment, address, beats


class Requests:
    """An engine's side of an address channel; what it offers stays."""

    def __init__(self, dut, channel: str, rng: random.Random, rate: float, outside: float):
        self._port = {s: getattr(dut, f"i_{channel}_{s}") for s in ("valid", "ready", "addr", "len", "seg")}
        self._rng, self._rate, self._outside = rng, rate, outside
        self.restart()

    def restart(self) -> None:
        self.offered: tuple[int, int, int] | None = None
        self.taken: deque[tuple[int, int, int]] = deque()  # and not yet answered
        self.left = 10**9  # to be offered

    def drive(self, now: int) -> None:
        if self.offered is None and len(self.taken) < PARAMS.max_outstanding and self.left and self._rng.random() < self._rate:
            self.offered = burst(self._rng, self._outside)
            self.left -= 1
            segment, address, beats = self.offered
            self._port["addr"].value, self._port["len"].value, self._port["seg"].value = address, beats - 1, segment
        self._port["valid"].value = self.offered is not None

    def sample(self, now: int) -> None:
        if self.offered and bit(self._port["ready"]):
            self.taken.append(self.offered)
            self.offered = None


class Reader(Requests):
    """LOAD's part: takes beats and checks them."""

    def __init__(self, dut, rng, rate, outside, stall):
        self._dut, self._stall, self.beats, self._beat = dut, stall, 0, 0
        super().__init__(dut, "ar", rng, rate, outside)

    def restart(self) -> None:
        super().restart()
        self._beat = 0

    def drive(self, now: int) -> None:
        super().drive(now)
        self._ready = self._rng.random() >= self._stall
        self._dut.i_r_ready.value = self._ready

    def sample(self, now: int) -> None:
        super().sample(now)
        if self._ready and bit(self._dut.i_r_valid):
            _, address, beats = self.taken[0]
            content = dram_bytes(address + self._beat * WIDTH, WIDTH).tobytes()
            assert integer(self._dut.i_r_data) == int.from_bytes(content, "little")
            assert bit(self._dut.i_r_last) == (self._beat == beats - 1)
            self.beats += 1
            self._beat = (self._beat + 1) % beats
            if not self._beat:
                self.taken.popleft()


class Writer(Requests):
    """STORE's part: offers each burst's beats along with its request, or later. ``meant``: bytes that the bus may see at each
    address; ``image``: those that it must, if nothing is cut off."""

    def __init__(self, dut, rng, rate, outside, stall):
        self._dut, self._stall = dut, stall
        self.meant: dict[int, set[int]] = {}
        self.image: dict[int, int] = {}
        super().__init__(dut, "aw", rng, rate, outside)

    def restart(self) -> None:
        super().restart()
        self._beats: deque[tuple[int, int, int]] = deque()  # address, data, strobes
        self._valid = False

    def drive(self, now: int) -> None:
        before = self.offered
        super().drive(now)
        if self.offered is not before:
            segment, address, beats = self.offered
            new = [((address + i * WIDTH) % TOP, self._rng.getrandbits(8 * WIDTH), self._rng.getrandbits(WIDTH)) for i in range(beats)]
            self._beats += new
            if inside(segment, address, beats):
                for place, lane, byte in self._bytes(new):
                    self.meant.setdefault(place + lane, set()).add(byte)
        self._valid = bool(self._beats) and (self._valid or self._rng.random() >= self._stall)
        self._dut.i_w_valid.value = self._valid
        if self._valid:
            _, self._dut.i_w_data.value, self._dut.i_w_strb.value = self._beats[0]

    @staticmethod
    def _bytes(beats):
        return [(place, lane, word >> 8 * lane & 255) for place, word, strobes in beats for lane in range(WIDTH) if strobes >> lane & 1]

    def sample(self, now: int) -> None:
        super().sample(now)
        if self._valid and bit(self._dut.i_w_ready):
            self.image |= {place + lane: byte for place, lane, byte in self._bytes([self._beats.popleft()])}
            self._valid = False
        if bit(self._dut.i_b_valid):
            self.taken.popleft()


class Bench:
    """Guard, engines and memories."""

    def __init__(self, dut, rng, timing, *, rate=1.0, outside=0.0, stall=0.0):
        self.dut, self.now, self.memory = dut, 0, {}
        dut.base.value, dut.bytes.value = (sum(w[k] << PARAMS.address_bits * i for i, w in enumerate(WINDOWS)) for k in (0, 1))
        dut.cut.value = dut.i_ar_fetch.value = 0
        self.reader, self.writer = Reader(dut, rng, rate, outside, stall), Writer(dut, rng, rate, outside, stall)
        self.bus = (ReadMemory(dut, lambda a, n: dram_bytes(a, n).tobytes(), timing, rng, PARAMS.burst_beats),
                    WriteMemory(dut, self.memory, timing, rng, PARAMS.burst_beats))

    async def start(self):
        for name in ("i_ar_valid", "i_aw_valid", "i_w_valid", "i_r_ready", "r_valid", "b_valid", "ar_ready", "aw_ready", "w_ready"):
            getattr(self.dut, name).value = 0
        await reset(self.dut)

    async def step(self):
        await step(self.dut, self.now, *self.bus, self.reader, self.writer)
        self.now += 1

    async def cut(self) -> int:
        """Cuts off the engines, which are reset, and waits until the guard says that the bus is quiet; cycles that it took."""
        self.dut.cut.value = 1
        await self.step()
        for engine in (self.reader, self.writer):
            engine.restart()
            engine.left = 0
        cycles = 1
        while not bit(self.dut.quiet):
            await self.step()
            cycles += 1
            assert cycles < 5000, "the bus does not become quiet"
        assert all(m.idle for m in self.bus), "quiet, and something is owed"
        self.dut.cut.value = 0
        for engine in (self.reader, self.writer):
            engine.left = 10**9
        return cycles


TIMINGS = {"smooth": BusTiming(latency=1), "rough": BusTiming(latency=12, stall=0.4, gap=0.3),
           "late": BusTiming(latency=40, stall=0.1, needs_data_first=True)}


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(timing=list(TIMINGS), outside=[0.0, 0.03])
async def cut_at_any_cycle(dut, timing, outside):
    """Nothing but what was meant is ever written, nothing outside its window is asked for, and every burst ends."""
    rng = random.Random(f"{timing} {outside}")
    bench = Bench(dut, rng, TIMINGS[timing], rate=rng.choice([0.3, 1.0]), outside=outside, stall=0.2)
    await bench.start()
    legal: list[set] = [set(), set()]
    owed = errors = 0
    for _ in range(60):
        for _ in range(rng.choice([rng.randint(1, 12), rng.randint(1, 400)])):
            await bench.step()
            for seen, engine in zip(legal, (bench.reader, bench.writer), strict=True):
                seen |= {(a, n) for s, a, n in (*engine.taken, *([engine.offered] if engine.offered else [])) if inside(s, a, n)}
            if bit(dut.o_error):
                outlaws = [r for e in (bench.reader, bench.writer) for r in e.taken if not inside(*r)]
                assert outlaws, "an error without a reason"
                errors += 1
                break
        owed += not all(m.idle for m in bench.bus)
        await bench.cut()
    assert owed > 20 and (errors > 10) == bool(outside)
    for seen, memory in zip(legal, bench.bus, strict=True):
        assert set(memory.bursts) <= seen and len(memory.bursts) > 50
    strange = [a for a, byte in bench.memory.items() if byte not in bench.writer.meant.get(a, ())]
    assert not strange, f"{len(strange)} bytes were written that nobody meant to, the first at {strange[0]:#x}"


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(timing=list(TIMINGS))
async def everything_passes(dut, timing):
    rng = random.Random(timing)
    bench = Bench(dut, rng, TIMINGS[timing], stall=rng.choice([0.0, 0.3]))
    await bench.start()
    for _ in range(3000):
        await bench.step()
        assert not bit(dut.o_error)
    bench.reader.left = bench.writer.left = 0
    while bench.reader.taken or bench.writer.taken or bench.reader.offered or bench.writer.offered:
        await bench.step()
        assert bench.now < 20_000, "something is never answered"
    assert bench.memory == bench.writer.image and bench.reader.beats > 500 and len(bench.memory) > 500


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def as_fast_as_stated(dut):
    """A single beat takes the stated cycles more than without the guard; then there is one beat per cycle."""
    bench = Bench(dut, random.Random(1), BusTiming(latency=1), rate=0.0)
    await bench.start()
    for engine, counted in ((bench.reader, lambda: bench.bus[0].beats), (bench.writer, lambda: bench.bus[1].beats)):
        for _ in range(10):
            await bench.step()
        engine._rate, engine.left = 1.0, 1
        began = bench.now
        while not engine.taken:
            await bench.step()
        while engine.taken:
            await bench.step()
            assert bench.now < began + 100
        write = engine is bench.writer
        beats = bench.bus[write].bursts[-1][1]
        data = BusGuard.data_cycles + 1 if write else 1  # a response comes a cycle after the last beat
        assert bench.now - began == BusGuard.request_cycles + data + beats + BusGuard.answer_cycles
        engine.left, before = 10**9, counted()
        for _ in range(400):
            await bench.step()
        assert counted() - before >= 400 - 10, "less than a beat per cycle"
        engine._rate = 0.0
        for _ in range(200):
            await bench.step()
