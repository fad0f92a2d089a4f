"""Commands with anything in their fields, entries that describe no memory, doorbells that are wrong: each has its status, nothing hangs,
nothing is touched that was not described, and between them the drive works as ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tenon.hw.storage.nvme.commands import (
    COMMANDS,
    COPY_SOURCE_BLOCKS,
    COPY_SOURCE_BYTES,
    DATASET_RANGE,
    MEMORY_RANGE,
    Command,
    CommandSet,
)
from tenon.hw.storage.nvme.logs import EventType, Log
from tenon.hw.storage.nvme.registers import BAR_BYTES, DOORBELLS, MSIX_PENDING, MSIX_TABLE
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams
from tenon.hw.storage.presets import drive
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host, Pair, register_offset
from tenon.tb.drive.legality import Shape, statuses
from tenon.tb.drive.memory import READ, WRITE

__all__ = ["malformed"]

_NOWHERE = 0x7777_7777_7000  # where the host has no memory


async def malformed(host: Host, *, config: str, commands: int) -> dict:
    """So many commands, and some registers and doorbells between them."""
    params, seen, rng = drive(config), Counter(), host.memory.random
    await host.vectors(params.vectors)
    await host.enable(entries=16)
    pair = await host.create_pair(1, params.queue_entries)
    shape = Shape(queues={1: 1})
    for number in range(commands):
        admin = rng.random() < 0.4
        pending, allowed, what = await _one(host, params, host.pairs[0] if admin else pair, admin, shape, seen)
        answer = await host.wait(pending, what)
        if answer.code not in {(s.type, s.code) for s in allowed}:
            raise Failed(f"command {number}, {what}: type {answer.code[0]}, code {answer.code[1]:#04x}; "
                         f"due is {' or '.join(sorted(s.name for s in allowed))}")
        seen[next(s.name for s in allowed if (s.type, s.code) == answer.code)] += 1
        if pending.buffer is not None:
            pending.buffer.release()
        if number % 10 == 3:
            await _doorbells(host, params, pair, seen)
        if number % 10 == 7:
            await _registers(host, seen)
        if number % 25 == 0:
            await _works(host, pair, params)
    return {"seen": dict(seen)}


async def _works(host: Host, pair: Pair, params: StorageParams) -> None:
    data, block = host.memory.random.randbytes(UNIT_BYTES), host.memory.random.randrange(params.units)
    for name in ("write", "read"):
        buffer = Buffer(host.memory, UNIT_BYTES).fill(data if name == "write" else bytes(UNIT_BYTES))
        (await host.io(pair, name, buffer, nsid=1, slba=block)).check()
        if buffer.data() != data:
            raise Failed(f"block {block} is not what was written")
        buffer.release()


def _value(rng, width: int) -> int:
    """Small, large, anything, one bit."""
    chosen = rng.choice([0, 1, 2, 3, -1, rng.getrandbits(width), 1 << rng.randrange(width), rng.getrandbits(min(width, 4))])
    return chosen & (1 << width) - 1


def _own_fields(rng, params: StorageParams, kind: Command) -> dict[str, int]:
    """A command's own fields, most of them within what makes sense."""
    sense = {"slba": lambda: rng.randrange(params.units + 3), "nlb": lambda: rng.choice([0, 1, 2, 5, TRANSFER_PAGES - 1, TRANSFER_PAGES]),
             "sb": lambda: 4 * rng.randrange(params.slm_bytes // 4 + 2), "length": lambda: 4 * rng.randrange(3 * UNIT_BYTES // 4),
             "sdaddr": lambda: 4 * rng.randrange(params.slm_bytes // 4), "nr": lambda: rng.randrange(4),
             "format": lambda: rng.randrange(2, 5),
             "cns": lambda: rng.choice([0, 1, 2, 3, 5, 6, 7, 8, 0x1C]), "csi": lambda: rng.choice([0, 3, 4]), "numdu": lambda: 0,
             "numdl": lambda: rng.randrange(1024), "offset": lambda: 4 * rng.randrange(1100), "ot": lambda: 0,
             "lid": lambda: rng.choice(list(Log)),
             "fid": lambda: rng.randrange(1, 12), "sel": lambda: rng.randrange(5), "sv": lambda: int(rng.random() < 0.1),
             "qid": lambda: rng.randrange(params.queues + 2), "qsize": lambda: rng.randrange(params.queue_entries + 2), "pc": lambda: 1,
             "cqid": lambda: rng.randrange(params.queues + 2),
             "pind": lambda: rng.randrange(params.program_slots + 1),
             "ptype": lambda: 0xC0, "psize": lambda: 4 * rng.randrange(1, 3000), "numb": lambda: 4 * rng.randrange(1, 1500),
             "loff": lambda: rng.choice([0, 0, 4 * rng.randrange(100)]), "numr": lambda: rng.randrange(6),
             "rsid": lambda: rng.randrange(4), "iv": lambda: rng.randrange(params.vectors + 1)}
    found = {}
    for f in kind.layout.fields:
        if f.name in sense and rng.random() < 0.85:
            found[f.name] = sense[f.name]() & (1 << f.width) - 1
        elif rng.random() < 0.5:
            found[f.name] = _value(rng, f.width)
    return found


def _size(params: StorageParams, kind: Command, own: dict[str, int]) -> int:
    """Bytes that the command moves, if it is legal; never more than can be."""
    if kind.name in ("read", "write"):
        size = (own.get("nlb", 0) + 1) * UNIT_BYTES
    elif kind.name in ("memory_read", "memory_write"):
        size = own.get("length", 0)
    elif kind.name == "dataset_management":
        size = (own.get("nr", 0) + 1) * DATASET_RANGE.size
    elif kind.name == "memory_copy":
        size = (own.get("nr", 0) + 1) * COPY_SOURCE_BLOCKS.size
    elif kind.name == "get_log_page":
        size = 4 * ((own.get("numdl", 0) | own.get("numdu", 0) << 16) + 1)
    elif kind.name == "identify":
        size = UNIT_BYTES
    elif kind.name == "load_program":
        size = own.get("numb", 0)
    elif kind.name == "memory_range_set":
        size = own.get("numr", 0) * MEMORY_RANGE.size
    else:
        size = 0
    return -(-size // 4) * 4 if size <= TRANSFER_PAGES * UNIT_BYTES else 4


def _sources(rng, params: StorageParams, kind: Command, own: dict[str, int]) -> tuple[list[dict[str, int]], bytes]:
    if kind.name == "dataset_management":
        rows = [{"slba": rng.randrange(params.units), "nlb": rng.choice([0, 1, 1, 2])} for _ in range(own.get("nr", 0) + 1)]
        if rng.random() < 0.2:
            rng.choice(rows)["slba"] = params.units - rng.randrange(2)
        return rows, b"".join(DATASET_RANGE.pack(row) for row in rows)
    layout = COPY_SOURCE_BYTES if own.get("format") == 4 else COPY_SOURCE_BLOCKS
    rows = []
    for _ in range(own.get("nr", 0) + 1):
        row = {"snsid": rng.choices([1, 2, 0, 9], [45, 45, 5, 5])[0]}
        if rng.random() < 0.8:
            row["snsid"] = 2 if layout is COPY_SOURCE_BYTES else 1
        if layout is COPY_SOURCE_BYTES:
            row |= {"saddr": 4 * rng.randrange(params.slm_bytes // 4 + 1), "nbyte": 4 * rng.randrange(200)}
        else:
            row |= {"slba": rng.randrange(params.units + 1), "nlb": rng.randrange(2)}
        rows.append(row)
    if rng.random() < 0.8:
        own["length"] = sum(r["nbyte"] if layout is COPY_SOURCE_BYTES else (r["nlb"] + 1) * UNIT_BYTES for r in rows)
    return rows, b"".join(layout.pack(row) for row in rows)


async def _one(host: Host, params: StorageParams, pair: Pair, admin: bool, shape: Shape, seen: Counter):
    """A command on its way, the statuses that it may have, what it is."""
    rng = host.memory.random
    nsid = rng.choices([1, 2, 3, 0, 4, 0xFFFFFFFF, 0xFFFFFFFE], [35, 35, 12, 5, 5, 4, 4])[0]
    group = CommandSet.ADMIN if admin else {1: CommandSet.NVM, 2: CommandSet.MEMORY, 3: CommandSet.COMPUTE}.get(nsid, CommandSet.NVM)
    # What would wait for ever, or take away the queue under the next command, or ask for as much as a namespace, has its own tests.
    kinds = [c for c in COMMANDS if c.set is group and c.name not in ("async_event_request", "delete_sq", "write_zeroes", "memory_fill")]
    kind = rng.choice(kinds)
    if rng.random() < 0.12:
        known = {c.opcode for c in COMMANDS if c.set is group}
        opcode = rng.choice([o for o in range(256) if o not in known and o != 0])
        pending = await host.submit(pair, None, opcode=opcode, nsid=nsid, prp1=_value(rng, 64), cdw10=_value(rng, 32))
        seen["opcode"] += 1
        return pending, statuses(params, admin, {"opcode": opcode, "nsid": nsid}, shape), f"opcode {opcode:#x}"
    own = _own_fields(rng, params, kind)
    sources: list[dict[str, int]] = []
    text = b""
    if kind.name in ("dataset_management", "memory_copy"):
        own["nr"] = own.get("nr", 0) % 4
        sources, text = _sources(rng, params, kind, own)
    size = _size(params, kind, own)
    buffer = Buffer(host.memory, size) if size else None
    common = {"nsid": nsid}
    entries = ""
    if rng.random() < 0.06:
        common[rng.choice(["fuse", "psdt"])] = rng.randint(1, 3)
    if kind.name.startswith("create_"):
        common["prp1"] = 0x12_3400_0000 + rng.choice([0, 0, 0, rng.randrange(1, UNIT_BYTES)])  # nothing will be asked of it
    elif buffer is not None:
        buffer.fill(text or rng.randbytes(min(size, 96)) + bytes(max(0, size - 96)))
        if rng.random() < 0.3:
            entries = _spoil(host, buffer, common)
    rights = (READ if kind.to_controller else 0) | (WRITE if kind.to_host else 0)
    shape = replace(shape, entries=entries, sources=tuple(sources))
    allowed = statuses(params, admin, {**common, **own, "opcode": kind.opcode}, shape)
    if kind.name.startswith(("create_", "delete_")) and any(s.name == "SUCCESS" for s in allowed):
        own["qid"] = 0  # it must not succeed
        allowed = statuses(params, admin, {**common, **own, "opcode": kind.opcode}, shape)
    seen[kind.name] += 1
    seen[f"entries {entries}"] += bool(entries)
    pending = await host.submit(pair, kind, buffer, rights=rights, **common, **own)
    return pending, allowed, f"{kind.name} {common | own} {entries}"


def _spoil(host: Host, buffer: Buffer, common: dict[str, int]) -> str:
    """Makes one of a command's entries wrong, and says how."""
    rng = host.memory.random
    how = rng.choice(["offset", "bus"])
    if buffer.lists and rng.random() < 0.7:
        address, size = rng.choice(buffer.lists)
        at = address + 8 * rng.randrange(size // 8)
        old = int.from_bytes(host.memory.read(at, 8), "little")
        host.memory.write(at, (old | rng.randrange(1, 4096) if how == "offset" else _NOWHERE).to_bytes(8, "little"))
    elif len(buffer.pieces) == 2 and rng.random() < 0.5:
        common["prp2"] = buffer.prp2 | rng.randrange(1, 4096) if how == "offset" else _NOWHERE
    elif buffer.lists and rng.random() < 0.5:
        common["prp2"] = buffer.prp2 | rng.randrange(1, 8) if how == "offset" else _NOWHERE
    else:
        common["prp1"] = buffer.prp1 | rng.randrange(1, 4) if how == "offset" else _NOWHERE + buffer.prp1 % UNIT_BYTES
    return how


async def _doorbells(host: Host, params: StorageParams, pair: Pair, seen: Counter) -> None:
    """A wrong doorbell changes nothing, and is told once somebody has asked."""
    rng = host.memory.random
    request = await host.submit(host.pairs[0], next(c for c in COMMANDS if c.name == "async_event_request"))
    if rng.random() < 0.5:
        index, value, info = rng.randrange(2 * (params.queues + 1), 1024), rng.getrandbits(16), 0
    elif rng.random() < 0.5:
        index, value, info = 2 * pair.index, rng.choice([pair.entries, pair.entries + 1, 0xFFFF]), 1
    else:  # beyond what the queue has completed
        index, value, info = 2 * pair.index + 1, (pair.read + 1) % pair.entries, 1
    await host.write32(DOORBELLS + 4 * index, value)
    answer = (await host.wait(request, "an event")).check()
    if answer.result != EventType.ERROR | info << 8 | Log.ERROR << 16:
        raise Failed(f"doorbell {index} = {value}: the event is {answer.result:#x}")
    page = Buffer(host.memory, 64)
    (await host.admin("get_log_page", page, lid=Log.ERROR, numdl=15)).check()
    page.release()
    seen[f"doorbell {info}"] += 1


async def _registers(host: Host, seen: Counter) -> None:
    """What is reserved or can only be read does not change, whatever is written."""
    rng = host.memory.random
    fixed = [0x00, 0x04, 0x08, 0x0C, 0x10, 0x18, register_offset("csts_rdy"), 0x20, 0x38, 0x3C, 0x68, 0x800, 0xFFC,
             MSIX_PENDING, MSIX_PENDING + 0x40, MSIX_TABLE + 0x800, BAR_BYTES - 4]
    at = rng.choice(fixed)
    before = await host.read32(at)
    await host.write32(at, rng.getrandbits(32))
    if await host.read32(at) != before:
        raise Failed(f"the register at {at:#x} was written")
    seen["register"] += 1
