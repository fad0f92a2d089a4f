"""The same random commands twice: reads by hardware where it can, and all by firmware. Both must answer alike, and as blocks say."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field

from tenon.hw.storage.nvme.commands import DATASET_RANGE, Namespace, command
from tenon.hw.storage.nvme.identify import NVM_NAMESPACE
from tenon.hw.storage.nvme.logs import Feature
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host, Pair
from tenon.tb.drive.scenarios.network import put_blocks

__all__ = ["histories"]

_WINDOW, _WRITTEN = 16, 10  # blocks of a history; of those, how many are written before the first one
_SAME_PLACE = 20  # histories on the same blocks, each from where the one before has ended


@dataclass
class _Command:
    """A command, what it must answer, and with which data."""

    name: str
    kind: str  # for counting
    first: int = 0
    count: int = 1
    status: Status = Status.SUCCESS
    data: bytes = b""
    fields: dict = field(default_factory=dict)
    queue: int = 0


async def histories(host: Host, *, count: int, first_seed: int, queues: int, vectors: int) -> dict:
    """``count`` histories: kinds of commands that were in them, cycles of each path, and reads that hardware carried out."""
    await host.vectors(vectors)
    await host.enable(entries=16)
    page = Buffer(host.memory, UNIT_BYTES)
    (await host.admin("identify", page, cns=0, nsid=Namespace.BLOCKS)).check()
    units = NVM_NAMESPACE.unpack(page.data())["nsze"]
    pairs = [await host.create_pair(q, 16) for q in range(1, queues + 1)]
    seen, cycles, reads = Counter(), Counter(), Counter()
    for seed in range(first_seed, first_seed + count):
        rng = random.Random(seed)
        if (seed - first_seed) % _SAME_PLACE == 0:
            base = rng.randrange(units - _WINDOW)
            held = {block: bytes(UNIT_BYTES) if block - base >= _WRITTEN else _block(rng) for block in range(base, base + _WINDOW)}
            await _restore(host, pairs[0], held)
        batches, after = _history(rng, base, units, len(pairs), held)
        transcripts = []
        for fast in (1, 0):
            if not fast:
                await _restore(host, pairs[0], {block: held[block] for block in held if after[block] != held[block]})
            (await host.admin("set_features", fid=Feature.FAST_READS, value=fast)).check()
            before = (await host.counters())["fast_reads"]
            began = host.cycle
            transcripts.append([await _batch(host, pairs, batch) for batch in batches])
            cycles["fast" if fast else "slow"] += host.cycle - began
            reads["fast" if fast else "slow"] += (await host.counters())["fast_reads"] - before
        if transcripts[0] != transcripts[1]:
            raise Failed(f"history {seed}: hardware and firmware answer differently")
        held = after
        seen.update(c.kind for batch in batches for c in batch)
    return {"seen": dict(seen), "path_cycles": dict(cycles), "hardware_reads": dict(reads)}


def _block(rng: random.Random) -> bytes:
    return rng.randbytes(16) * (UNIT_BYTES // 16)


async def _restore(host: Host, pair: Pair, blocks: dict[int, bytes]) -> None:
    """Makes blocks hold this; zeros as if they had never been written."""
    runs = itertools.groupby(enumerate(sorted(blocks)), lambda item: (item[1] - item[0], any(blocks[item[1]])))
    for (_, some), run in runs:
        numbers = [block for _, block in run]
        if some:
            await put_blocks(host, pair, numbers[0], b"".join(blocks[block] for block in numbers))
        else:
            (await host.io(pair, "write_zeroes", nsid=Namespace.BLOCKS, slba=numbers[0], nlb=len(numbers) - 1)).check()


def _history(rng: random.Random, base: int, units: int, queues: int, held: dict) -> tuple[list[list[_Command]], dict]:
    """Batches of commands that are under way together, of which none has what another one writes; and what blocks hold then."""
    batches = []
    for _ in range(rng.randint(1, 3)):
        batch, busy, after = [], set(), dict(held)
        for _ in range(rng.randint(1, 8)):
            made = _random_command(rng, base, units, held, after, busy)
            if made is not None:
                made.queue = rng.randrange(queues)
                batch.append(made)
        held = after
        batches.append(batch)
    return batches, held


def _random_command(rng: random.Random, base: int, units: int, held: dict, after: dict, busy: set) -> _Command | None:
    kind = rng.choices(["read", "write", "write_zeroes", "dataset_management", "flush", "wrong"], [45, 25, 6, 6, 3, 15])[0]
    if kind == "flush":
        return _Command("flush", kind)
    if kind == "wrong":
        return _wrong(rng, base, units)
    count = rng.choice([1, 1, 1, 2, rng.randint(1, 4), _WINDOW if kind == "read" else 2])
    first = base + rng.randrange(_WINDOW - count + 1)
    blocks = set(range(first, first + count))
    if blocks & busy:
        return None
    busy |= blocks
    if kind == "read":
        return _Command("read", kind, first, count, data=b"".join(held[b] for b in sorted(blocks)),
                        fields={"fua": rng.getrandbits(1), "lr": rng.getrandbits(1)})
    data = b"".join(_block(rng) for _ in range(count)) if kind == "write" else bytes(count * UNIT_BYTES)
    for k, block in enumerate(sorted(blocks)):
        after[block] = data[k * UNIT_BYTES:(k + 1) * UNIT_BYTES]
    return _Command(kind, kind, first, count, data=data)


def _wrong(rng: random.Random, base: int, units: int) -> _Command:
    """A read that must be refused."""
    kind = rng.choice(["beyond", "long", "namespace", "fused", "sgl", "offset"])
    made = _Command("read", kind, base)
    if kind == "beyond":
        made.count = rng.randint(1, 4)
        made.first, made.status = units - made.count + 1 + rng.choice([0, 5, 1 << 32, 1 << 40]), Status.LBA_OUT_OF_RANGE
    elif kind == "long":
        made.count, made.status = TRANSFER_PAGES + 1, Status.INVALID_FIELD
    elif kind == "namespace":
        made.fields, made.status = {"nsid": rng.choice([0, 9, 1 << 31, 0xFFFFFFFF])}, Status.INVALID_NAMESPACE_OR_FORMAT
    elif kind == "offset":
        made.fields, made.status = {"prp1": None}, Status.PRP_OFFSET_INVALID
    else:
        made.fields, made.status = {"fuse" if kind == "fused" else "psdt": rng.randint(1, 2)}, Status.INVALID_FIELD
    return made


async def _batch(host: Host, pairs: list[Pair], batch: list[_Command]) -> list[tuple]:
    """What each command of a batch answered."""
    under_way, rung = [], set()
    for c in batch:
        buffer, pair, fields = None, pairs[c.queue], {"nsid": Namespace.BLOCKS, **c.fields}
        if c.name in ("read", "write"):
            buffer = Buffer(host.memory, min(c.count, TRANSFER_PAGES + 1) * UNIT_BYTES)
            if "prp1" in fields:
                fields["prp1"] = buffer.prp1 + 2
        elif c.name == "dataset_management":
            buffer = Buffer(host.memory, DATASET_RANGE.size).fill(DATASET_RANGE.pack(slba=c.first, nlb=c.count))
            fields |= {"nr": 0, "ad": 1}
        if c.name == "write":
            buffer.fill(c.data)
        if c.name in ("read", "write", "write_zeroes"):
            fields |= {"slba": c.first, "nlb": c.count - 1}
        under_way.append((c, buffer, await host.submit(pair, command(c.name), buffer, ring=False, **fields)))
        rung.add(c.queue)
    for queue in rung:
        await host.ring(pairs[queue])
    found = []
    for c, buffer, pending in under_way:
        answer = (await host.wait(pending, c.kind)).check(c.status)
        text = buffer.data() if buffer is not None and c.name == "read" and c.status is Status.SUCCESS else b""
        if c.name == "read" and text != c.data:
            raise Failed(f"blocks {c.first} to {c.first + c.count - 1} are not what was written")
        found.append((answer.status, answer.result, hashlib.sha256(text).hexdigest()))
        if buffer is not None:
            buffer.release()
    return found
