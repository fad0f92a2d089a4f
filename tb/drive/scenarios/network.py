"""A network over data at rest: blocks are copied within the drive, a program is executed on them, the host reads the results."""

from __future__ import annotations

from pathlib import Path

import cocotb

from tenon.compiler.drive.plan import Plan, Step
from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS, MEMORY_RANGE, Namespace
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.hw.storage.prp import PAGE_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Answer, Host, Pair

__all__ = ["follow", "load_program", "put_blocks", "range_sets", "run_network"]

_TRANSFER_BYTES = TRANSFER_PAGES * PAGE_BYTES
_PROGRAM_TYPE = 0xC0
_BLOCKS, _MEMORY, _COMPUTE = Namespace


async def run_network(host: Host, *, image: str, inputs: str, outputs: str, plan: str, first_block: int, vectors: int,
                      patience: int) -> dict:
    """Writes ``inputs`` into blocks, loads the program ``image``, follows ``plan``, and writes what comes into ``outputs``: files. No step
    may take more than ``patience`` cycles."""
    await host.vectors(vectors)
    await host.enable(entries=32)
    pair = await host.create_pair(1, 16)
    await put_blocks(host, pair, first_block, Path(inputs).read_bytes())
    (await load_program(host, 0, Path(image).read_bytes())).check()
    found = Plan.from_json(Path(plan).read_text())
    sets = await range_sets(host, found)
    counted = await host.counters()
    before = {name: int(getattr(host.dut, name).value) for name in ("read_bytes", "written_bytes")}
    times, results, data = await follow(host, pair, found, sets, patience)
    after = {name: int(getattr(host.dut, name).value) - value for name, value in before.items()}
    Path(outputs).write_bytes(data)
    bursts = {name: value - counted[name] for name, value in (await host.counters()).items()}
    return {"times": times, "results": results, "host_bytes": after, "bursts": bursts}


async def put_blocks(host: Host, pair: Pair, first: int, data: bytes) -> None:
    """The host writes its data, as any host would."""
    data += bytes(-len(data) % UNIT_BYTES)
    for at in range(0, len(data), _TRANSFER_BYTES):
        part = data[at:at + _TRANSFER_BYTES]
        buffer = Buffer(host.memory, len(part)).fill(part)
        (await host.io(pair, "write", buffer, nsid=_BLOCKS, slba=first + at // UNIT_BYTES, nlb=len(part) // UNIT_BYTES - 1)).check()
        buffer.release()


async def load_program(host: Host, index: int, image: bytes) -> Answer:
    """Loads a program in parts, and asks for it to be activated."""
    for at in range(0, len(image), _TRANSFER_BYTES):
        part = image[at:at + _TRANSFER_BYTES]
        buffer = Buffer(host.memory, len(part)).fill(part)
        (await host.admin("load_program", buffer, nsid=_COMPUTE, pind=index, ptype=_PROGRAM_TYPE, psize=len(image), numb=len(part),
                          loff=at)).check()
        buffer.release()
    return await host.admin("program_activation", nsid=_COMPUTE, pind=index, sel=1)


async def range_sets(host: Host, plan: Plan) -> list[int]:
    """Makes a plan's memory range sets; their numbers."""
    numbers = []
    for ranges in plan.sets:
        text = b"".join(MEMORY_RANGE.pack(mnsid=_MEMORY, sb=base, len=size) for base, size in (ranges.inputs, ranges.outputs, ranges.arena))
        buffer = Buffer(host.memory, len(text), offset=0).fill(text)
        numbers.append((await host.admin("memory_range_set", buffer, nsid=_COMPUTE, numr=3)).check().result)
        buffer.release()
    return numbers


async def follow(host: Host, pair: Pair, plan: Plan, sets: list[int], patience: int) -> tuple[list[dict], list[int], bytes]:
    """Gives the drive each step as soon as those before it have ended: (cycles of each, results of executions, all outputs)."""
    outputs = bytearray(max(step.first + step.count for step in plan.steps if step.kind == "read"))
    times: list[dict] = [{} for _ in plan.steps]
    results: list[int] = []

    async def one(number: int, step: Step, tasks: list) -> None:
        for earlier in step.after:
            await tasks[earlier]
        begin = host.cycle
        if step.kind == "copy":
            source = COPY_SOURCE_BLOCKS.pack(snsid=_BLOCKS, slba=step.first, nlb=step.count - 1)
            buffer = Buffer(host.memory, len(source), offset=0).fill(source)
            (await host.io(pair, "memory_copy", buffer, nsid=_MEMORY, sdaddr=step.place, length=step.count * UNIT_BYTES, format=2,
                           cycles=patience)).check()
        elif step.kind == "execute":
            buffer = None
            results.append((await host.io(pair, "execute_program", nsid=_COMPUTE, pind=0, rsid=sets[step.place],
                                          cparam1=step.count, cycles=patience)).check().result)
        else:
            buffer = Buffer(host.memory, step.count)
            (await host.io(pair, "memory_read", buffer, nsid=_MEMORY, sb=step.place, length=step.count, cycles=patience)).check()
            outputs[step.first:step.first + step.count] = buffer.data()
        if buffer is not None:
            buffer.release()
        times[number] = {"kind": step.kind, "begin": begin, "end": host.cycle}

    tasks: list = []
    for number, step in enumerate(plan.steps):
        tasks.append(cocotb.start_soon(one(number, step, tasks)))
    for task in tasks:
        await task
    return times, results, bytes(outputs)
