"""A network over a batch at rest: chunks that fit the device's memory twice, so that the next is copied while one is computed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tenon.compiler.errors import CompileError

__all__ = ["Batch", "Device", "Plan", "RangeSet", "Step", "plan"]

_BUFFERS = 2


@dataclass(frozen=True)
class Device:
    """What a plan has to know of a drive: bytes, and cycles of the accelerator's clock.

    ``granule``: memory ranges, and items in them, begin at multiples of it. ``bytes_per_cycle``: a copy's pace. ``command_cycles``: what a
    command takes beside its data.
    """

    block_bytes: int
    memory_bytes: int
    granule: int
    most_copy_blocks: int
    most_read_bytes: int
    bytes_per_cycle: float
    command_cycles: int


@dataclass(frozen=True)
class Batch:
    """Items of one network: bytes of each item's inputs and outputs, of intermediate tensors, cycles that one takes."""

    items: int
    inputs_bytes: int
    outputs_bytes: int
    arena_bytes: int
    item_cycles: int


@dataclass(frozen=True)
class RangeSet:
    """Memory ranges of a buffer, (first byte, bytes): inputs, outputs, intermediate tensors."""

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    arena: tuple[int, int]


@dataclass(frozen=True)
class Step:
    """A command: ``copy`` (blocks into memory), ``execute`` or ``read`` (memory to the host); it begins when those in ``after`` have ended.

    ``copy``: ``place`` is a byte of memory, ``first`` a block, ``count`` blocks. ``execute``: ``place`` is a range set, ``first`` the item
    of the batch, ``count`` items. ``read``: ``place`` is a byte of memory, ``first`` a byte of all outputs, ``count`` bytes.
    """

    kind: str
    place: int
    first: int
    count: int
    after: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which they may be given to the drive."""

    input_stride: int
    output_stride: int
    chunk_items: int
    sets: tuple[RangeSet, ...]
    steps: tuple[Step, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        values = json.loads(text)
        sets = tuple(RangeSet(**{k: tuple(v) for k, v in s.items()}) for s in values.pop("sets"))
        steps = tuple(Step(**{**s, "after": tuple(s["after"])}) for s in values.pop("steps"))
        return cls(**values, sets=sets, steps=steps)


def plan(batch: Batch, device: Device, first_block: int = 0) -> Plan:
    """The plan of least estimated time for a batch whose inputs lie in blocks from ``first_block`` on, ``input_stride`` bytes each.

    Raises
    ------
    CompileError
        If not even the smallest chunk fits the device's memory twice.
    """
    strides = tuple(_rounded(size, device.granule) for size in (batch.inputs_bytes, batch.outputs_bytes))
    least = device.block_bytes // math.gcd(strides[0], device.block_bytes)  # items whose inputs are whole blocks
    most = device.memory_bytes // _BUFFERS
    candidates = [items for items in _multiples(least, batch.items) if _buffer(items, strides, batch, device) <= most]
    if not candidates:
        raise CompileError(f"{least} items need {_buffer(least, strides, batch, device):,} bytes of the device's memory, {_BUFFERS} times; "
                           f"it has {device.memory_bytes:,}")
    best = min(candidates, key=lambda items: (_estimate(items, strides, batch, device), items))
    sets = tuple(_ranges(b * _buffer(best, strides, batch, device), best, strides, batch, device) for b in range(_BUFFERS))
    return Plan(*strides, best, sets, tuple(_steps(best, strides, batch, device, sets, first_block)))


def _rounded(size: int, granule: int) -> int:
    return -(-size // granule) * granule


def _multiples(least: int, items: int) -> Iterator[int]:
    """Chunk sizes that are worth looking at."""
    size = least
    while True:
        yield size
        if size >= items:
            return
        size += least * max(1, size // (8 * least))


def _ranges(base: int, items: int, strides: tuple[int, int], batch: Batch, device: Device) -> RangeSet:
    inputs = (base, _rounded(items * strides[0], device.block_bytes))
    outputs = (base + inputs[1], items * strides[1])
    return RangeSet(inputs, outputs, (outputs[0] + outputs[1], _rounded(max(1, batch.arena_bytes), device.granule)))


def _buffer(items: int, strides: tuple[int, int], batch: Batch, device: Device) -> int:
    arena = _ranges(0, items, strides, batch, device).arena
    return _rounded(sum(arena), device.block_bytes)


def _chunks(items: int, total: int) -> list[int]:
    return [min(items, total - first) for first in range(0, total, items)]


def _estimate(items: int, strides: tuple[int, int], batch: Batch, device: Device) -> float:
    """Cycles: copies and executions of different chunks side by side, the first copy and the last reading alone."""
    copied, computed = 0.0, 0.0
    for chunk in _chunks(items, batch.items):
        copied = max(copied, 0.0) + device.command_cycles + chunk * strides[0] / device.bytes_per_cycle
        computed = max(computed, copied) + device.command_cycles + chunk * batch.item_cycles
    return computed + device.command_cycles + items * strides[1] / device.bytes_per_cycle


def _steps(items: int, strides: tuple[int, int], batch: Batch, device: Device, sets: tuple[RangeSet, ...], first_block: int) -> list[Step]:
    steps: list[Step] = []

    def add(*step) -> int:
        steps.append(Step(*step))
        return len(steps) - 1

    executed: list[int] = []
    reads: list[list[int]] = []
    first = 0
    for number, count in enumerate(_chunks(items, batch.items)):
        buffer = number % _BUFFERS
        free = tuple(executed[number - _BUFFERS:number - _BUFFERS + 1]) if number >= _BUFFERS else ()
        blocks, copies = -(-count * strides[0] // device.block_bytes), []
        begin = first_block + first * strides[0] // device.block_bytes
        for block in range(0, blocks, device.most_copy_blocks):
            copies.append(add("copy", sets[buffer].inputs[0] + block * device.block_bytes, begin + block,
                              min(device.most_copy_blocks, blocks - block), free))
        read_before = tuple(reads[number - _BUFFERS]) if number >= _BUFFERS else ()
        executed.append(add("execute", buffer, first, count, (*copies, *read_before)))
        size, mine = count * strides[1], []
        for part in range(0, size, device.most_read_bytes):
            mine.append(add("read", sets[buffer].outputs[0] + part, first * strides[1] + part, min(device.most_read_bytes, size - part),
                            (executed[-1],)))
        reads.append(mine)
        first += count
    return steps
