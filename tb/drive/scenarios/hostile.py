"""Programs with anything in them: instructions at random, headers that lie. Each is refused or ends with a status, and spoils its own
outputs at most: not what lies beside them, not other programs, not the drive."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

from tenon.compiler.image import HEADER
from tenon.hw.encoding import ENCODING
from tenon.hw.storage.nvme.commands import MEMORY_RANGE
from tenon.hw.storage.nvme.status import Status, StatusType
from tenon.hw.storage.params import UNIT_BYTES
from tenon.hw.storage.presets import drive
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host, Pair
from tenon.tb.drive.scenarios.network import load_program

__all__ = ["hostile_programs"]

_MEMORY, _COMPUTE = 2, 3
_CODE, _INSTRUCTIONS = HEADER.index("code"), HEADER.index("instructions")

_PART = 16 * UNIT_BYTES


async def hostile_programs(host: Host, *, config: str, image: str, inputs: str, outputs: str, arena: int, programs: int) -> dict:
    """``image`` is a program that makes ``outputs`` of ``inputs`` (files), and runs between the others."""
    params, rng, seen = drive(config), host.memory.random, Counter()
    good, given, due = (Path(path).read_bytes() for path in (image, inputs, outputs))
    await host.vectors(params.vectors)
    await host.enable(entries=16)
    pair = await host.create_pair(1, 16)
    sizes = [-(-len(data) // 64) * 64 for data in (given, due)] + [-(-max(arena, 64) // 64) * 64]
    bases = [4 * UNIT_BYTES, 8 * UNIT_BYTES + sizes[0] // UNIT_BYTES * UNIT_BYTES, 0]
    bases[2] = bases[1] + sizes[1] + 4 * UNIT_BYTES
    around = rng.randbytes(bases[2] + sizes[2] + 4 * UNIT_BYTES)  # what all of that memory holds before
    around = around[:len(around) // UNIT_BYTES * UNIT_BYTES]
    blocks = rng.randbytes(4 * UNIT_BYTES)
    buffer = Buffer(host.memory, len(blocks)).fill(blocks)
    (await host.io(pair, "write", buffer, nsid=1, slba=7, nlb=3)).check()
    buffer.release()
    text = b"".join(MEMORY_RANGE.pack(mnsid=_MEMORY, sb=base, len=size) for base, size in zip(bases, sizes))
    buffer = Buffer(host.memory, len(text), offset=0).fill(text)
    ranges = (await host.admin("memory_range_set", buffer, nsid=_COMPUTE, numr=3)).check().result
    (await load_program(host, 1, good)).check()
    for number in range(programs):
        around = around[:bases[0]] + given + around[bases[0] + len(given):]
        await _write(host, pair, 0, around)
        kind, hostile = _spoilt(rng, good)
        seen[kind] += 1
        seen[await _run(host, pair, hostile, ranges)] += 1
        after = await _read(host, pair, 0, len(around))
        for begin, end in ((0, bases[1]), (bases[1] + sizes[1], bases[2]), (bases[2] + sizes[2], len(around))):
            if after[begin:end] != around[begin:end]:
                raise Failed(f"program {number} ({kind}) has written outside its outputs and its arena")
        if number % 5 == 4:
            (await host.io(pair, "execute_program", nsid=_COMPUTE, pind=1, rsid=ranges, cycles=20_000_000)).check()
            if (await _read(host, pair, bases[1], len(due))) != due:
                raise Failed(f"after program {number} ({kind}) the right one makes something else")
            buffer = Buffer(host.memory, len(blocks))
            (await host.io(pair, "read", buffer, nsid=1, slba=7, nlb=3)).check()
            if buffer.data() != blocks:
                raise Failed(f"program {number} ({kind}) has changed blocks")
            buffer.release()
    return {"seen": dict(seen)}


def _spoilt(rng, good: bytes) -> tuple[str, bytes]:
    """The program with something of it at random."""
    words = list(struct.unpack_from(f"<{len(HEADER)}I", good))
    first, count = words[_CODE], words[_INSTRUCTIONS]
    text = bytearray(good)
    kind = rng.choice(["bits", "bits", "instructions", "instruction", "header"])
    if kind == "bits":  # of a few instructions: most of them stay legal
        for _ in range(rng.randint(1, 12)):
            at = first + ENCODING.bytes * rng.randrange(count) + rng.randrange(1, 40)
            text[at] ^= 1 << rng.randrange(8)
    elif kind == "instructions":
        text[first:first + count * ENCODING.bytes] = rng.randbytes(count * ENCODING.bytes)
        for k in range(count):  # opcodes that there are
            at = first + k * ENCODING.bytes
            text[at] = text[at] & 0xF0 | rng.randrange(8)
    elif kind == "instruction":
        at = first + ENCODING.bytes * rng.randrange(count)
        text[at:at + 32] = rng.randbytes(32)
    else:
        for _ in range(rng.randint(1, 2)):
            struct.pack_into("<I", text, 4 * rng.randrange(3, len(HEADER)), rng.choice([0, 1, 64, 0xFFFFFFFF, rng.getrandbits(32),
                                                                                        rng.getrandbits(16)]))
    return kind, bytes(text)


async def _run(host: Host, pair: Pair, image: bytes, ranges: int) -> str:
    """How it ended."""
    answer = await load_program(host, 0, image)
    if answer.code != (0, 0):
        answer.check(Status.INVALID_PROGRAM_DATA)
        return "refused"
    answer = await host.io(pair, "execute_program", nsid=_COMPUTE, pind=0, rsid=ranges, cycles=20_000_000)
    kind, code = answer.code
    if kind == StatusType.VENDOR:
        ended = f"error {code - 0xC0}"
    elif answer.code == (0, 0):
        ended = "success"
    else:
        answer.check(Status.INVALID_MEMORY_RANGE_SET)
        ended = "ranges"
    (await host.admin("program_activation", nsid=_COMPUTE, pind=0, sel=0)).check()
    return ended


async def _write(host: Host, pair: Pair, at: int, data: bytes) -> None:
    for first in range(0, len(data), _PART):
        part = data[first:first + _PART]
        buffer = Buffer(host.memory, len(part), offset=0).fill(part)
        (await host.io(pair, "memory_write", buffer, nsid=_MEMORY, sb=at + first, length=len(part))).check()
        buffer.release()


async def _read(host: Host, pair: Pair, at: int, size: int) -> bytes:
    text = b""
    for first in range(0, size, _PART):
        part = min(_PART, size - first)
        buffer = Buffer(host.memory, -(-part // 4) * 4, offset=0)
        (await host.io(pair, "memory_read", buffer, nsid=_MEMORY, sb=at + first, length=-(-part // 4) * 4)).check()
        text += buffer.data()[:part]
        buffer.release()
    return text
