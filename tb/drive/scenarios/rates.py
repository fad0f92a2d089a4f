"""How fast data go from each of a drive's memories to another, the best stream of each edge of its covenant; and how long a command
alone takes."""

from __future__ import annotations

import cocotb

from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS, Namespace, command
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Host, Pair

__all__ = ["rates"]

_DEPTH = 4  # commands at a time
_BYTES = TRANSFER_PAGES * UNIT_BYTES
_TIMES = 3  # that a command alone is measured: the middle one counts


async def rates(host: Host, *, rounds: int, vectors: int, blocks: str) -> dict:
    """``rates``: bytes in a cycle by "SOURCE TARGET", of ``rounds`` commands of the longest kind; ``latencies``: cycles by command, of one
    of ``UNIT_BYTES`` alone; ``blocks``: what the blocks' memory is called."""
    await host.vectors(vectors)
    await host.enable(entries=16)
    pair = await host.create_pair(1, 16)
    found = {}

    async def streamed(edge: str, name: str, nsid: int, fields) -> None:
        """Each worker's commands one behind the other; of all, the time between the first end and the last."""
        ends: list[int] = []

        async def worker(first: int) -> None:
            buffer = Buffer(host.memory, _BYTES, offset=0)
            for number in range(first, rounds, _DEPTH):
                pending = await host.submit(pair, command(name), buffer, nsid=nsid, **fields(number))
                await pending.done.wait()
                pending.answer.check()
                ends.append(pending.ended)
            buffer.release()

        for task in [cocotb.start_soon(worker(k)) for k in range(_DEPTH)]:
            await task
        ends.sort()
        found[edge] = (len(ends) - 1) * _BYTES / (ends[-1] - ends[0])

    def of_blocks(number: int) -> dict:
        return {"slba": number * TRANSFER_PAGES, "nlb": TRANSFER_PAGES - 1}

    def of_memory(number: int) -> dict:
        return {"sb": number % 4 * _BYTES, "length": _BYTES}

    await streamed(f"HOST {blocks}", "write", Namespace.BLOCKS, of_blocks)
    await streamed(f"{blocks} HOST", "read", Namespace.BLOCKS, of_blocks)
    await streamed("HOST SLM", "memory_write", Namespace.MEMORY, of_memory)
    await streamed("SLM HOST", "memory_read", Namespace.MEMORY, of_memory)
    found[f"{blocks} SLM"] = await _copied(host, pair, rounds)
    return {"rates": found, "latencies": await _alone(host, pair)}


async def _copy(host: Host, pair: Pair, first: int, count: int) -> int:
    """Cycles of a copy of ``count`` blocks from ``first`` on."""
    source = COPY_SOURCE_BLOCKS.pack(snsid=Namespace.BLOCKS, slba=first, nlb=count - 1)
    buffer = Buffer(host.memory, len(source), offset=0).fill(source)
    cycles = await _timed(host, pair, "memory_copy", Namespace.MEMORY, buffer, sdaddr=0, length=count * UNIT_BYTES, format=2)
    buffer.release()
    return cycles


async def _timed(host: Host, pair: Pair, name: str, nsid: int, buffer: Buffer, **fields: int) -> int:
    pending = await host.submit(pair, command(name), buffer, nsid=nsid, **fields)
    await pending.done.wait()
    pending.answer.check()
    return pending.ended - pending.submitted


async def _copied(host: Host, pair: Pair, rounds: int) -> float:
    """Bytes in a cycle of copies of 64 KiB to 512 KiB, by the time that more takes than less."""
    less, more = 16, min(rounds * TRANSFER_PAGES, 128)
    cycles = [await _copy(host, pair, 0, count) for count in (less, more)]
    return (more - less) * UNIT_BYTES / (cycles[1] - cycles[0])


async def _alone(host: Host, pair: Pair) -> dict[str, int]:
    """Cycles of each command that moves data, of one unit that no other command has touched."""
    buffer, found = Buffer(host.memory, UNIT_BYTES, offset=0), {}
    for name, nsid, fields in (("write", Namespace.BLOCKS, {"nlb": 0}), ("read", Namespace.BLOCKS, {"nlb": 0}),
                               ("memory_write", Namespace.MEMORY, {"sb": 0, "length": UNIT_BYTES}),
                               ("memory_read", Namespace.MEMORY, {"sb": 0, "length": UNIT_BYTES})):
        places = [{"slba": TRANSFER_PAGES * k} if nsid == Namespace.BLOCKS else {} for k in range(_TIMES)]
        found[name] = sorted([await _timed(host, pair, name, nsid, buffer, **fields, **place) for place in places])[_TIMES // 2]
    found["memory_copy"] = sorted([await _copy(host, pair, TRANSFER_PAGES * k, 1) for k in range(_TIMES)])[_TIMES // 2]
    buffer.release()
    return found
