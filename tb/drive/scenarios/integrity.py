"""Blocks written at random, many times the capacity: collection goes on meanwhile, bits go wrong, and every read is what was written."""

from __future__ import annotations

from collections import Counter

import cocotb

from tenon.hw.storage.nvme.identify import NVM_NAMESPACE
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host

__all__ = ["random_writes"]

_PATIENCE = 4_000_000  # cycles of a command: collection may go before it


async def random_writes(host: Host, *, writes: int, depth: int, verify: float, vectors: int, power: bool = False) -> dict:
    """``writes`` blocks in all, ``depth`` commands at a time; a share ``verify`` of commands reads. In the end every block is read, after
    power was gone if ``power`` says so."""
    await host.vectors(vectors)
    await host.enable(entries=8)
    page = Buffer(host.memory, UNIT_BYTES)
    (await host.admin("identify", page, cns=0, nsid=1)).check()
    blocks = NVM_NAMESPACE.unpack(page.data())["nsze"]
    pair, rng, seen = await host.create_pair(1, 16), host.memory.random, Counter()
    held: dict[int, int] = {}  # of each block, the seed of its data
    busy: set[int] = set()
    left = [writes]

    def data(block: int) -> bytes:
        if block not in held:
            return bytes(UNIT_BYTES)
        word = (held[block] << 24 | block).to_bytes(8, "little")
        return word * (UNIT_BYTES // 8)

    async def read(block: int) -> None:
        buffer = Buffer(host.memory, UNIT_BYTES)
        answer = await host.io(pair, "read", buffer, nsid=1, slba=block, cycles=_PATIENCE)
        if answer.code == Status.UNRECOVERED_READ_ERROR.value:
            seen["unrecovered"] += 1
        else:
            answer.check()
            if buffer.data() != data(block):
                raise Failed(f"block {block} is not what was written")
        seen["read"] += 1
        buffer.release()

    async def worker() -> None:
        while left[0] > 0:
            count = rng.choice([1, 1, 1, rng.randint(1, 4)])
            first = rng.randrange(blocks - count + 1)
            wanted = set(range(first, first + count))
            if wanted & busy:
                continue
            busy.update(wanted)
            if rng.random() < verify:
                await read(first)
            else:
                left[0] -= count
                seen["written"] += count
                seeds = [rng.getrandbits(32) for _ in range(count)]
                for block, seed in zip(range(first, first + count), seeds):
                    held[block] = seed
                buffer = Buffer(host.memory, count * UNIT_BYTES).fill(b"".join(data(block) for block in range(first, first + count)))
                (await host.io(pair, "write", buffer, nsid=1, slba=first, nlb=count - 1, cycles=_PATIENCE)).check()
                buffer.release()
            busy.difference_update(wanted)

    for task in [cocotb.start_soon(worker()) for _ in range(depth)]:
        await task
    if power:
        await host.power()
        await host.vectors(vectors)
        await host.enable(entries=8)
        pair = await host.create_pair(1, 16)
    began = host.cycle
    for block in range(blocks):
        await read(block)
    return {"seen": dict(seen), "blocks": blocks, "read_cycles": host.cycle - began}
