"""A scripted AXI4 master before the DRAM model; each test checks when beats move, and what they carry."""

import os
import random
from dataclasses import dataclass, field

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

BUS = 8  # bytes


@dataclass
class Burst:
    """One burst; ``at`` is the first cycle its request is offered, ``data_at`` that of its write data."""

    address: int
    beats: int
    at: int = 0
    data: list[int] | None = None  # of a write
    strobes: list[int] = field(default_factory=list)
    data_at: int = 0


class Master:
    """Offers bursts, takes everything, and notes the cycle of each handshake."""

    def __init__(self, dut, reads=(), writes=(), seed=None):
        self.dut, self.reads, self.writes = dut, list(reads), list(writes)
        self.random = random.Random(seed) if seed is not None else None
        self.log = {name: [] for name in ("ar", "aw", "w", "r", "b")}
        self.cycle = 0

    async def run(self, limit=20000):
        """Until the last response; payloads are lists of (cycle, value...) in ``log``."""
        dut, log = self.dut, self.log
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        for name in ("awid", "arid", "awaddr", "araddr", "awlen", "arlen", "awvalid", "arvalid", "wvalid", "wlast",
                     "wdata", "wstrb", "bready", "rready", "dump"):
            getattr(dut, name).value = 0
        for name in ("ar", "aw"):
            getattr(dut, f"{name}size").value = 3
            getattr(dut, f"{name}burst").value = 1
        dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        beats = [(b, i) for b in self.writes for i in range(b.beats)]
        r_total = sum(b.beats for b in self.reads)
        while len(log["r"]) < r_total or len(log["b"]) < len(self.writes):
            assert self.cycle < limit, f"stuck: {[(k, len(v)) for k, v in log.items()]}"
            self.offer("ar", self.reads[len(log["ar"]):])
            self.offer("aw", self.writes[len(log["aw"]):])
            waiting = beats[len(log["w"]):]
            offered = bool(waiting) and self.cycle >= waiting[0][0].data_at
            dut.wvalid.value = offered
            if offered:
                burst, i = waiting[0]
                dut.wdata.value = burst.data[i]
                dut.wstrb.value = burst.strobes[i] if burst.strobes else 2**BUS - 1
                dut.wlast.value = i == burst.beats - 1
            for name in ("rready", "bready"):
                getattr(dut, name).value = self.random.random() < 0.7 if self.random else 1
            await ReadOnly()
            for name, values in log.items():
                if getattr(dut, f"{name}valid").value == 1 and getattr(dut, f"{name}ready").value == 1:
                    values.append(self.payload(name))
            self.cycle += 1
            await FallingEdge(dut.clk)

    def offer(self, name, waiting):
        offered = bool(waiting) and self.cycle >= waiting[0].at
        getattr(self.dut, f"{name}valid").value = offered
        if offered:
            getattr(self.dut, f"{name}addr").value = waiting[0].address
            getattr(self.dut, f"{name}len").value = waiting[0].beats - 1

    def payload(self, name):
        if name == "r":
            data, last = self.dut.rdata.value, self.dut.rlast.value
            return self.cycle, int(data) if data.is_resolvable else None, int(last), int(self.dut.rresp.value)
        return (self.cycle, int(self.dut.bresp.value)) if name == "b" else (self.cycle,)

    def cycles(self, name):
        return [entry[0] for entry in self.log[name]]


def words(rng, count):
    return [rng.getrandbits(8 * BUS) for _ in range(count)]


def check_rules(dut, expected=0):
    assert int(dut.violations.value) == expected


@cocotb.test()
async def latency(dut):
    """First data, and a write's response, come so many cycles after the request and the last beat."""
    expected = int(os.environ.get("EXPECT_LATENCY", "40"))
    master = Master(dut, [Burst(0x100, 4, at=5)], [Burst(0x200, 2, at=200, data=[1, 2])])
    await master.run()
    assert master.cycles("ar") == [5]
    assert master.cycles("r") == [5 + expected + i for i in range(4)]
    assert [entry[2] for entry in master.log["r"]] == [0, 0, 0, 1]
    assert master.cycles("w") == [200 + expected, 201 + expected]
    assert master.cycles("b") == [201 + 2 * expected]
    check_rules(dut)


@cocotb.test()
async def full_bandwidth(dut):
    """Long bursts fill every cycle; requests go one a cycle, 32 outstanding."""
    master = Master(dut, [Burst(0x80 * i, 16) for i in range(40)])
    await master.run()
    assert master.cycles("ar")[:32] == list(range(32))
    assert master.cycles("ar")[32] == 40 + 16, "the 33rd request waits for the first burst's end"
    assert master.cycles("r") == list(range(40, 40 + 640))
    check_rules(dut)


@cocotb.test()
async def shared(dut):
    """Reads and writes share the one data slot, in order of arrival over both directions."""
    reads = [Burst(0x100 * i, 8, at=2 * i) for i in range(12)]
    writes = [Burst(0x4000 + 0x100 * i, 8, at=2 * i + 1, data=[i] * 8) for i in range(12)]
    master = Master(dut, reads, writes)
    await master.run()
    moved = sorted([(c, "r") for c in master.cycles("r")] + [(c, "w") for c in master.cycles("w")])
    assert [c for c, _ in moved] == list(range(40, 40 + 2 * 12 * 8))
    assert "".join(kind for _, kind in moved) == ("r" * 8 + "w" * 8) * 12
    check_rules(dut)


@cocotb.test()
async def late_writer(dut):
    """A write burst whose data is late lets the reads behind it pass, and loses no more than its turn."""
    master = Master(dut, [Burst(0x100, 8, at=1)], [Burst(0x200, 4, at=0, data=[1, 2, 3, 4], data_at=100)])
    await master.run()
    assert master.cycles("r") == list(range(41, 49))
    assert master.cycles("w") == list(range(100, 104))
    check_rules(dut)


@cocotb.test()
async def half_bandwidth(dut):
    """With +dram_beats=1 +dram_cycles=2 a beat moves every other cycle."""
    master = Master(dut, [Burst(0x80 * i, 16) for i in range(4)], [Burst(0x2000, 16, at=4, data=[0] * 16)])
    await master.run()
    moved = sorted(master.cycles("r") + master.cycles("w"))
    assert moved == list(range(40, 40 + 2 * 80, 2))
    check_rules(dut)


@cocotb.test()
async def jittered(dut):
    """With +dram_jitter=N a burst takes up to N cycles longer, each its own time."""
    master = Master(dut, [Burst(0x80 * i, 1, at=100 * i) for i in range(40)])
    await master.run()
    delays = [r - ar for ar, r in zip(master.cycles("ar"), master.cycles("r"), strict=True)]
    assert min(delays) >= 40 and max(delays) <= 48 and len(set(delays)) == 9
    check_rules(dut)


@cocotb.test()
async def beyond(dut):
    """Addresses beyond the memory answer SLVERR and change nothing."""
    size = 65536
    master = Master(dut, [Burst(0, 1), Burst(size - 8, 2), Burst(size + 0x1000, 1)],
                    [Burst(0, 1, data=[7]), Burst(size, 1, data=[9], at=4), Burst(2**32 - 8, 1, data=[9], at=5)])
    await master.run()
    assert [entry[3] for entry in master.log["r"]] == [0, 0, 2, 2]
    assert [entry[1] for entry in master.log["b"]] == [0, 2, 2]
    again = Master(dut, [Burst(0, 1)])
    await again.run()
    assert again.log["r"][0][1] == 7


@cocotb.test()
async def broken_rules(dut):
    """The checker counts what a master does wrong."""
    master = Master(dut, [Burst(0xFF8, 2), Burst(0x100, 1, at=60)])
    await master.run()
    check_rules(dut, expected=1)


@cocotb.test()
async def random_traffic(dut):
    """Random bursts under random stalls keep data, strobes, order and the bus rules."""
    rng = random.Random(int(os.environ["SEED"]))
    memory = bytearray(open("image.bin", "rb").read())

    def span():
        beats = rng.randint(1, 16)
        return BUS * rng.randrange((4096 - BUS * beats) // BUS), beats

    for _ in range(6):
        reads, writes = [], []
        for _ in range(rng.randint(5, 40)):
            address, beats = span()
            reads.append(Burst(address, beats, at=rng.randrange(300)))
            address, beats = span()
            strobes = [rng.getrandbits(BUS) for _ in range(beats)]
            writes.append(Burst(4096 + address, beats, at=rng.randrange(300), data=words(rng, beats), strobes=strobes,
                                data_at=rng.randrange(500)))
        reads.sort(key=lambda b: b.at)
        writes.sort(key=lambda b: b.at)
        master = Master(dut, reads, writes, seed=rng.random())
        await master.run()
        seen = iter(master.log["r"])
        for burst in reads:
            for i in range(burst.beats):
                _, data, last, response = next(seen)
                place = burst.address + BUS * i
                assert data == int.from_bytes(memory[place:place + BUS], "little"), hex(place)
                assert (last, response) == (i == burst.beats - 1, 0)
        for burst in writes:
            for i, (word, strobes) in enumerate(zip(burst.data, burst.strobes, strict=True)):
                for byte in range(BUS):
                    if strobes >> byte & 1:
                        memory[burst.address + BUS * i + byte] = word >> 8 * byte & 255
        check_rules(dut)
    assert int(dut.bvalid.value) == 0
    await FallingEdge(dut.clk)
    dut.dump.value = 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    assert open("dump.bin", "rb").read() == bytes(memory[4096:8192])
