"""Data movement: every piece of a copy is cut until its addresses are affine on both sides and its bytes fit a slot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tenon.compiler.home import Home
from tenon.compiler.layer import Layer
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.machine import Machine
from tenon.compiler.move import Move, Piece, Step

__all__ = ["MoveChoices", "lower_move"]

_CHANNEL = 3
_MOST = 20_000  # copies into which one layer may be cut
_RUN = 1 << 16  # bytes that one loop of a transfer can count


@dataclass(frozen=True, kw_only=True)
class MoveChoices:
    """``slots``: copies on chip at once."""

    slots: int


def lower_move(machine: Machine, layer: Layer, homes: dict[str, Home], choices: MoveChoices, out: Emitter) -> None:
    """Appends the layer's instructions: bytes come into the vector buffer dense, and leave it to where they belong.

    Raises
    ------
    CompileError
        If a copy falls into too many parts.
    """
    kernel: Move = layer.main
    memory = machine.elementwise.memory["y"]
    floor = machine.floor(memory)
    size = (machine.size(memory) - floor) // choices.slots // machine.alignment * machine.alignment
    y = homes[layer.writes]
    turn = 0

    def slot() -> int:
        nonlocal turn
        turn += 1
        return floor + (turn - 1) % choices.slots * size

    if kernel.fill is not None:
        _fill(y, kernel.fill & 255, (memory, slot()), size, out)
    parts = 0
    for piece in kernel.pieces:
        x = homes[kernel.xs[piece.source]]
        for affine in _affine(piece, x, y):
            for far, to, loops in _fitting(_address(x, affine.x0), _address(y, affine.y0), _loops(affine, x, y), size):
                parts += 1
                if parts > _MOST:
                    raise out.fail(f"the copy falls into more than {_MOST} parts")
                near = (memory, slot())
                dense, inward, outward = 1, [], []
                for extent, x_step, y_step in reversed(loops):
                    inward.insert(0, Walk(extent, x_step, dense))
                    outward.insert(0, Walk(extent, y_step, dense))
                    dense *= extent
                note = "part %d", parts - 1
                out.load(inward, (x.segment, far), near, note)
                out.store(outward, near, (y.segment, to), note)


def _fill(y: Home, value: int, near: tuple[str, int], size: int, out: Emitter) -> None:
    """Writes ``value`` over the whole tensor."""
    total = y.layout.bytes
    size = min(size, total, _RUN)
    out.load([Walk(size, 1, 1)], (y.segment, y.offset), near, ("fill",), fill=value, rows=(0, 0))
    whole, rest = divmod(total, size)
    out.store([Walk(whole, size, 0), Walk(size, 1, 1)], near, (y.segment, y.offset), ("fill",))
    if rest:
        out.store([Walk(rest, 1, 1)], near, (y.segment, y.offset + whole * size), ("fill",))


def _address(home: Home, at: Sequence[int]) -> int:
    n, h, w, lane, block = home.strides
    channel = at[_CHANNEL]
    blocks, channel = divmod(channel, home.block) if home.block else (0, channel)
    return home.offset + n * at[0] + h * at[1] + w * at[2] + lane * channel + block * blocks


def _step(home: Home, vector: Sequence[int]) -> int:
    """Bytes that an affine loop steps."""
    n, h, w, lane, block = home.strides
    channel = vector[_CHANNEL]
    whole = home.block and channel % home.block == 0
    return n * vector[0] + h * vector[1] + w * vector[2] + (channel // home.block * block if whole else lane * channel)


def _affine(piece: Piece, x: Home, y: Home) -> Iterator[Piece]:
    """Parts of a piece none of whose loops crosses from one channel block into the next midway."""
    for side, home in (("x", x), ("y", y)):
        crossing = _crossing(piece, side, home.block)
        if crossing is not None:
            for part in _cut(piece, crossing, side, home.block):
                yield from _affine(part, x, y)
            return
    yield piece


def _crossing(piece: Piece, side: str, block: int) -> int | None:
    """The loop that crosses a block's end, if there is one: the farthest-reaching of those within blocks."""
    if not block:
        return None
    inside = {i: getattr(s, side)[_CHANNEL] * (s.extent - 1) for i, s in enumerate(piece.steps)
              if getattr(s, side)[_CHANNEL] % block}
    lane = getattr(piece, side + "0")[_CHANNEL] % block
    low, high = lane + sum(min(0, r) for r in inside.values()), lane + sum(max(0, r) for r in inside.values())
    if 0 <= low and high < block:
        return None
    return max(inside, key=lambda i: abs(inside[i]))


def _cut(piece: Piece, number: int, side: str, block: int) -> list[Piece]:
    step = piece.steps[number]
    stride = getattr(step, side)[_CHANNEL]
    lane = getattr(piece, side + "0")[_CHANNEL] % block
    inner = block // stride if stride > 0 and block % stride == 0 else 0
    if inner and lane < stride and step.extent > inner:  # whole blocks become a loop of their own
        whole, rest = divmod(step.extent, inner)
        outer = Step(whole, *(tuple(v * inner for v in getattr(step, s)) for s in "xy"))
        return [_part(piece, number, 0, outer, replace(step, extent=inner)), *_rest(piece, number, whole * inner, rest)]
    first = math.ceil((block - lane) / stride) if stride > 0 else lane // -stride + 1
    first = min(max(first, 1), step.extent - 1)
    return [_part(piece, number, 0, replace(step, extent=first)), *_rest(piece, number, first, step.extent - first)]


def _rest(piece: Piece, number: int, first: int, extent: int) -> list[Piece]:
    return [_part(piece, number, first, replace(piece.steps[number], extent=extent))] if extent else []


def _part(piece: Piece, number: int, first: int, *loops: Step) -> Piece:
    """The piece with loop ``number`` replaced, from its iteration ``first`` on."""
    old = piece.steps[number]
    starts = {s + "0": tuple(a + first * b for a, b in zip(getattr(piece, s + "0"), getattr(old, s))) for s in "xy"}
    steps = (*piece.steps[:number], *(l for l in loops if l.extent > 1), *piece.steps[number + 1:])
    return Piece(piece.source, steps=steps, **starts)


def _loops(piece: Piece, x: Home, y: Home) -> list[tuple[int, int, int]]:
    """(extent, source bytes, destination bytes) in the order of the destination, loops that continue each other joined."""
    found: list[tuple[int, int, int]] = []
    for extent, far, to in sorted(((s.extent, _step(x, s.x), _step(y, s.y)) for s in piece.steps), key=lambda l: -abs(l[2])):
        if found:
            above, above_far, above_to = found[-1]
            if above_far == far * extent and above_to == to * extent:
                found[-1] = above * extent, far, to
                continue
        found.append((extent, far, to))
    return found


def _fitting(far: int, to: int, loops: list[tuple[int, int, int]], size: int) -> Iterator[tuple[int, int, list[tuple[int, int, int]]]]:
    """Copies of at most ``size`` bytes, and loops that a transfer can count, cut along the outermost loops."""
    if math.prod(l[0] for l in loops) <= size and all(l[0] <= _RUN for l in loops):
        yield far, to, loops
        return
    (extent, x_step, y_step), *inner = loops
    most = min(max(1, size // math.prod(l[0] for l in inner)), _RUN)
    for first in range(0, extent, most):
        count = min(most, extent - first)
        outer = [(count, x_step, y_step)] if count > 1 else []
        yield from _fitting(far + first * x_step, to + first * y_step, outer + inner, size)
