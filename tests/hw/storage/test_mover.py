"""Moving data: every dword that the entries describe arrives, no other byte is touched, faults are told."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.axi import PAGE_BYTES
from tenon.hw.presets import preset
from tenon.hw.storage.mover import Direction, Mover
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.presets import drive
from tenon.hw.storage.prp import PrpFault
from tenon.tb.simulated import simulator
from tenon.tb.simulated_bus import ReadSide, WriteSide

COMMANDS = 12


class Command:
    """A command's entries and the addresses of its dwords on both sides, as the specification describes them."""

    def __init__(self, rng: random.Random, fresh, lists: dict[int, int | None], device: int):
        self.kind = rng.choice(["short", "page", "two", "list", "list", "wrong entry", "no page", "no list"])
        pages = {"short": 1, "page": 1, "two": 2}.get(self.kind) or 3
        offset = 0 if self.kind == "page" else rng.choice([PAGE_BYTES - 4 * rng.randint(1, 40), 4 * rng.randrange(PAGE_BYTES // 4)])
        last = PAGE_BYTES // 4 if self.kind == "page" else rng.randint(1, 200)
        frames = [fresh() for _ in range(pages)]
        self.prp1, self.prp2 = frames[0] + offset, rng.getrandbits(64)
        room = (PAGE_BYTES - offset) // 4
        self.dwords = min(room, last) if pages == 1 else room + (pages - 2) * PAGE_BYTES // 4 + last
        if pages == 2:
            self.prp2 = frames[1]
        elif pages > 2:
            self.prp2 = fresh() + 8 * rng.randrange(PAGE_BYTES // 8 - pages)
            for number, frame in enumerate(frames[1:]):
                lists[self.prp2 + 8 * number] = frame
        self.fault, self.missing = PrpFault.NONE, None
        if self.kind == "wrong entry":
            lists[self.prp2 + 8] += 4
            self.fault = PrpFault.OFFSET
        elif self.kind == "no list":
            lists[self.prp2] = None
            self.fault = PrpFault.BUS
        elif self.kind == "no page":
            self.missing = rng.choice(frames)
            self.fault = PrpFault.BUS
        self.device = device
        at, self.host = self.prp1, []
        for number in range(self.dwords):
            self.host.append(at)
            at += 4
            if at % PAGE_BYTES == 0 and number < self.dwords - 1:
                frames.pop(0)
                at = frames[0]


@pytest.mark.parametrize(("host_bits", "memory_bits"), [(64, 32), (128, 64), (32, 128), (512, 512)])
@pytest.mark.parametrize("direction", Direction)
def test_random_commands(direction, host_bits, memory_bits):
    rng, seen = random.Random(host_bits + direction), Counter()
    accelerator = {32: preset("tiny"), 64: preset("edge8"), 128: preset("edge16"), 512: drive("dscs128").accelerator}[memory_bits]
    dut = Mover(StorageParams(host_bits=host_bits, accelerator=accelerator), direction, tag_bits=8)
    taken, lists, touched = set(), {}, {}

    def fresh() -> int:
        page = rng.choice([0, 1 << 33, 1 << 63]) + PAGE_BYTES * rng.randrange(1 << 20)
        return fresh() if page in taken else taken.add(page) or page

    commands = [Command(rng, fresh, lists, 4 * rng.randrange(1 << 12) + (number << 16)) for number in range(COMMANDS)]
    absent = {c.missing for c in commands if c.missing is not None}
    described = {at // PAGE_BYTES for c in commands for at in c.host}
    on_device = {c.device + 4 * k for c in commands for k in range(c.dwords)}
    contents = {}  # of either memory, by address, as first looked at

    def byte(memory: str, address: int) -> int:
        return contents.setdefault((memory, address), rng.getrandbits(8))

    def host_byte(address: int) -> int | None:
        assert address // PAGE_BYTES in described, f"{address:#x} is not the command's"
        return None if address & ~(PAGE_BYTES - 1) in absent else byte("host", address)

    def list_byte(address: int) -> int | None:
        assert any(address & ~63 == at & ~63 for at in lists), f"{address:#x} is not near an entry"
        entry = lists.get(address & ~7, 0)
        return None if entry is None else entry >> 8 * (address % 8) & 0xFF

    def store(memory: str, address: int, value: int) -> bool:
        touched[memory, address] = value
        return memory == "device" or address & ~(PAGE_BYTES - 1) not in absent

    to_host = direction is Direction.TO_HOST
    reads = ReadSide(dut, "", memory_bits if to_host else host_bits, (lambda a: byte("device", a)) if to_host else host_byte, rng)
    writes = WriteSide(dut, "", host_bits if to_host else memory_bits, lambda a, v: store("host" if to_host else "device", a, v), rng)
    entries = ReadSide(dut, "l_", host_bits, list_byte, rng)

    async def bench(ctx):
        waiting, running, ended = deque(enumerate(commands)), deque(), 0
        for _ in range(60_000):
            if waiting:
                tag, command = waiting[0]
                for name, value in (("tag", tag), ("prp1", command.prp1), ("prp2", command.prp2), ("dwords", command.dwords),
                                    ("addr", command.device)):
                    ctx.set(getattr(dut, f"i_{name}"), value)
            ctx.set(dut.i_valid, bool(waiting) and rng.random() < 0.2)
            ctx.set(dut.o_ready, rng.random() < 0.5)
            for side in (reads, writes, entries):
                side.before(ctx)
            if ctx.get(dut.i_valid) and ctx.get(dut.i_ready):
                running.append(waiting.popleft())
            if ctx.get(dut.o_valid) and ctx.get(dut.o_ready):
                tag, command = running.popleft()
                assert ctx.get(dut.o_tag) == tag
                assert ctx.get(dut.o_fault) == command.fault, command.kind
                seen[command.kind] += 1
                ended += 1
                if command.fault is PrpFault.NONE:
                    for k, at in enumerate(command.host):
                        for b in range(4):
                            here, there = ("host", at + b), ("device", command.device + 4 * k + b)
                            source, sink = (there, here) if to_host else (here, there)
                            assert touched[sink] == contents[source], f"dword {k} of {command.kind}"
            for side in (reads, writes, entries):
                side.after(ctx)
            await ctx.tick()
            if ended == COMMANDS:
                break
        assert ended == COMMANDS and not ctx.get(dut.busy)

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    allowed = {at + b for c in commands for at in c.host for b in range(4)} if to_host else {at + b for at in on_device for b in range(4)}
    assert {address for _, address in touched} <= allowed, "a byte beyond what was described"
    assert len(seen) >= 4, seen
