"""Random reads and writes on several queues at a time, against what the blocks must hold."""

from __future__ import annotations

from collections import Counter

import cocotb

from tenon.hw.storage.nvme.commands import DATASET_RANGE
from tenon.hw.storage.nvme.identify import NVM_NAMESPACE
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host, Pair

__all__ = ["random_traffic"]

_MOST = 6  # blocks of a command, but for some


class _Blocks:
    """What blocks hold, and which of them some command is changing or reading."""

    def __init__(self, host: Host, count: int, window: int):
        self.random, self.held, self.busy = host.memory.random, {}, set()
        self.first = self.random.randrange(count - window)
        self.window = window

    def take(self, most: int) -> tuple[int, int] | None:
        """Blocks in a row that nobody has."""
        for _ in range(20):
            count = self.random.randint(1, min(most, self.window))
            first = self.first + self.random.randrange(self.window - count + 1)
            wanted = set(range(first, first + count))
            if not wanted & self.busy:
                self.busy |= wanted
                return first, count
        return None

    def give_back(self, first: int, count: int) -> None:
        self.busy -= set(range(first, first + count))

    def data(self, first: int, count: int) -> bytes:
        return b"".join(self.held[block] for block in range(first, first + count))

    def set(self, first: int, count: int, data: bytes) -> None:
        for k in range(count):
            self.held[first + k] = data[UNIT_BYTES * k:UNIT_BYTES * (k + 1)]


async def random_traffic(host: Host, *, commands: int, queues: int, depth: int, entries: int, window: int = 96) -> dict:
    """``commands`` in all, ``depth`` at a time on each of ``queues`` queues of different sizes."""
    await host.vectors(queues + 1)
    await host.enable(entries=8)
    page = Buffer(host.memory, 4096)
    (await host.admin("identify", page, cns=0, nsid=1)).check()
    blocks = _Blocks(host, NVM_NAMESPACE.unpack(page.data())["nsze"], window)
    pairs = [await host.create_pair(q, max(3, entries // q), interrupts=True) for q in range(1, queues + 1)]
    for first in range(blocks.first, blocks.first + window, 64):
        count = min(64, blocks.first + window - first)
        (await host.io(pairs[0], "write_zeroes", nsid=1, slba=first, nlb=count - 1)).check()
        blocks.set(first, count, bytes(count * UNIT_BYTES))
    seen, left = Counter(), [commands]
    workers = [cocotb.start_soon(_worker(host, pair, blocks, seen, left)) for pair in pairs for _ in range(depth)]
    for worker in workers:
        await worker
    everything = range(blocks.first, blocks.first + window, TRANSFER_PAGES)
    for first in everything:
        count = min(TRANSFER_PAGES, blocks.first + window - first)
        await _read(host, pairs[0], blocks, first, count)
    for pair in pairs:
        await host.delete_pair(pair.index)
    return {"seen": dict(seen), "bytes": [int(host.dut.read_bytes.value), int(host.dut.written_bytes.value)]}


async def _worker(host: Host, pair: Pair, blocks: _Blocks, seen: Counter, left: list[int]) -> None:
    rng = host.memory.random
    while left[0] > 0:
        left[0] -= 1
        kind = rng.choices(["read", "write", "write_zeroes", "dataset_management", "flush"], [40, 40, 8, 6, 6])[0]
        seen[kind] += 1
        if kind == "flush":
            (await host.io(pair, "flush", nsid=1)).check()
            continue
        taken = blocks.take(TRANSFER_PAGES if rng.random() < 0.05 else _MOST)
        if taken is None:
            continue
        first, count = taken
        if kind == "read":
            await _read(host, pair, blocks, first, count)
        elif kind == "write":
            data = rng.randbytes(count * UNIT_BYTES)
            buffer = Buffer(host.memory, len(data)).fill(data)
            (await host.io(pair, "write", buffer, nsid=1, slba=first, nlb=count - 1, fua=rng.getrandbits(1))).check()
            buffer.release()
            blocks.set(first, count, data)
        elif kind == "write_zeroes":
            (await host.io(pair, "write_zeroes", nsid=1, slba=first, nlb=count - 1)).check()
            blocks.set(first, count, bytes(count * UNIT_BYTES))
        else:
            text = b"".join(DATASET_RANGE.pack(slba=first + k, nlb=1) for k in range(count))
            buffer = Buffer(host.memory, len(text), offset=4 * rng.randrange(200)).fill(text)
            (await host.io(pair, "dataset_management", buffer, nsid=1, nr=count - 1, ad=1)).check()
            buffer.release()
            blocks.set(first, count, bytes(count * UNIT_BYTES))
        blocks.give_back(first, count)


async def _read(host: Host, pair: Pair, blocks: _Blocks, first: int, count: int) -> None:
    buffer = Buffer(host.memory, count * UNIT_BYTES)
    (await host.io(pair, "read", buffer, nsid=1, slba=first, nlb=count - 1)).check()
    found = buffer.data()
    wrong = [first + k for k in range(count) if found[k * UNIT_BYTES:(k + 1) * UNIT_BYTES] != blocks.held[first + k]]
    if wrong:
        zeros = [block for block in wrong if not any(found[(block - first) * UNIT_BYTES:][:UNIT_BYTES])]
        raise Failed(f"of blocks {first} to {first + count - 1} not what was written: {wrong}; zeros: {zeros}")
    buffer.release()
