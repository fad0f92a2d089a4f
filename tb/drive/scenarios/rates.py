"""How fast data go from each of a drive's memories to another: the best stream of each edge of its covenant."""

from __future__ import annotations

import cocotb

from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS, Namespace, command
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Host, Pair

__all__ = ["rates"]

_DEPTH = 4  # commands at a time
_BYTES = TRANSFER_PAGES * UNIT_BYTES


async def rates(host: Host, *, rounds: int, vectors: int, blocks: str) -> dict:
    """``rates``: bytes in a cycle by "SOURCE TARGET", of ``rounds`` commands of the longest kind;
    ``blocks``: what the blocks' memory is called."""
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
    return {"rates": found}


async def _copied(host: Host, pair: Pair, rounds: int) -> float:
    """Of copies of 64 KiB to 512 KiB, by the time that more takes than less."""
    cycles = []
    sizes = (16, min(rounds * TRANSFER_PAGES, 128))
    for count in sizes:
        source = COPY_SOURCE_BLOCKS.pack(snsid=Namespace.BLOCKS, slba=0, nlb=count - 1)
        buffer = Buffer(host.memory, len(source), offset=0).fill(source)
        pending = await host.submit(pair, command("memory_copy"), buffer, nsid=Namespace.MEMORY, sdaddr=0, length=count * UNIT_BYTES,
                                    format=2)
        await pending.done.wait()
        pending.answer.check()
        cycles.append(pending.ended - pending.submitted)
        buffer.release()
    return (sizes[1] - sizes[0]) * UNIT_BYTES / (cycles[1] - cycles[0])
