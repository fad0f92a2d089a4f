"""Random reads of single blocks, as many at a time or as often as asked for: alone, and while a network is executed."""

from __future__ import annotations

import random
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from tenon.compiler.drive.plan import Plan
from tenon.hw.storage.covenant import CLOCK_NS
from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS, Namespace, command
from tenon.hw.storage.nvme.logs import Feature
from tenon.hw.storage.params import UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host, Pair
from tenon.tb.drive.scenarios.network import load_program, put_blocks, range_sets

__all__ = ["random_reads"]

_PERIOD_PS = 1000 * CLOCK_NS


async def random_reads(host: Host, *, commands: int, depth: int, gap: float, queues: int, entries: int, blocks: int, fast: bool,
                       vectors: int, network: dict | None = None) -> dict:
    """``commands`` reads of the first ``blocks`` blocks, which are written before, over ``queues`` queues.

    Parameters
    ----------
    depth : int
        Commands at a time, at most.
    gap : float
        Mean cycles from one to the next, at random; 0: the next as soon as one has ended.
    fast : bool
        Whether hardware may carry reads out.
    network : dict, optional
        Files of a program (``image``), of a plan (``plan``) and what lies at rest for it (``inputs``): the plan's first chunk is executed
        again and again.

    Returns
    -------
    dict
        ``alone``: of reads, ``counters`` after them, and with a network ``network`` (cycles of each execution), ``beside`` (reads while it
        runs) and ``slower`` (its cycles meanwhile). Of reads: ``latencies`` in cycles, and ``spans``: when each was submitted and ended.
    """
    await host.vectors(vectors)
    await host.enable(entries=32)
    pairs = [await host.create_pair(q, entries) for q in range(1, queues + 1)]
    (await host.admin("set_features", fid=Feature.FAST_READS, value=int(fast))).check()
    data = random.Random(1).randbytes(blocks * UNIT_BYTES)
    await put_blocks(host, pairs[0], 0, data)
    load = {"commands": commands, "depth": depth, "gap": gap, "data": data}
    found = {"alone": await _load(host, pairs, **load), "counters": await host.counters()}
    if network is not None:
        plan = Plan.from_json(Path(network["plan"]).read_text())
        execute = await _network(host, pairs[0], network, plan, blocks)
        found["network"] = [await execute() for _ in range(3)]
        reads = cocotb.start_soon(_load(host, pairs, **load))
        found["slower"] = []
        while not reads.done():
            found["slower"].append(await execute())
        found["slower"].pop()  # the last one outlived them
        found["beside"] = await reads
    return found


async def _load(host: Host, pairs: list[Pair], *, commands: int, depth: int, gap: float, data: bytes) -> dict:
    rng = random.Random(2)
    buffers = [Buffer(host.memory, UNIT_BYTES, offset=0) for _ in range(depth)]
    spans: list[tuple[int, int]] = []
    left = commands

    async def one() -> None:
        block, buffer = rng.randrange(len(data) // UNIT_BYTES), buffers.pop()
        pending = await host.submit(rng.choice(pairs), command("read"), buffer, nsid=Namespace.BLOCKS, slba=block, nlb=0)
        await pending.done.wait()
        pending.answer.check()
        if buffer.data() != data[block * UNIT_BYTES:(block + 1) * UNIT_BYTES]:
            raise Failed(f"block {block} is not what was written")
        spans.append((pending.submitted, pending.ended))
        buffers.append(buffer)

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await one()

    if gap == 0:
        tasks = [cocotb.start_soon(worker()) for _ in range(depth)]
    else:
        tasks = []
        for _ in range(commands):
            await Timer(max(1, round(rng.expovariate(1 / gap))) * _PERIOD_PS, "ps")
            while not buffers:
                await Timer(100 * _PERIOD_PS, "ps")
            tasks.append(cocotb.start_soon(one()))
    for task in tasks:
        await task
    for buffer in buffers:
        buffer.release()
    return {"latencies": [end - begin for begin, end in spans], "spans": spans}


async def _network(host: Host, pair: Pair, files: dict, plan: Plan, first: int):
    """Brings a network and its first chunk's data; what executes it and says how many cycles that took."""
    copy = next(step for step in plan.steps if step.kind == "copy")
    run = next(step for step in plan.steps if step.kind == "execute")
    await put_blocks(host, pair, first, Path(files["inputs"]).read_bytes()[:copy.count * UNIT_BYTES])
    (await load_program(host, 0, Path(files["image"]).read_bytes())).check()
    sets = await range_sets(host, plan)
    source = COPY_SOURCE_BLOCKS.pack(snsid=Namespace.BLOCKS, slba=first, nlb=copy.count - 1)
    buffer = Buffer(host.memory, len(source), offset=0).fill(source)
    (await host.io(pair, "memory_copy", buffer, nsid=Namespace.MEMORY, sdaddr=copy.place, length=copy.count * UNIT_BYTES, format=2)).check()
    buffer.release()

    async def execute() -> int:
        begin = host.cycle
        (await host.io(pair, "execute_program", nsid=Namespace.COMPUTE, pind=0, rsid=sets[run.place], cparam1=run.count,
                       cycles=files["patience"])).check()
        return host.cycle - begin

    return execute
