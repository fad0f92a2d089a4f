"""The large memories of a configuration, and what Yosys makes of a memory on an ECP5."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

from tenon.hw.accelerator import engine_classes
from tenon.hw.array import OPERAND_BITS, SystolicArray
from tenon.hw.buffers import VECTOR_BANKS, activation_banks
from tenon.hw.bursts import burst_limit
from tenon.hw.emit import PREFIX
from tenon.hw.encoding import ENCODING
from tenon.hw.fetch import FETCH_AHEAD
from tenon.hw.matrix import MatrixEngine
from tenon.hw.mnemonics import WINDOW_ROWS
from tenon.hw.params import SystolicParams
from tenon.hw.realign import plan_layout
from tenon.hw.vector import VectorEngine

__all__ = ["Shape", "cells_of", "memories", "memory_cells"]

#: Ways to organise a block of 18 kbit: words, and bits of one. Whole bytes of 9 bits have write enables of their own.
_BLOCK = {512: 36, 1024: 18, 2048: 9, 4096: 4, 8192: 2, 16384: 1}
_BYTE = 9
_RAM_WORDS, _RAM_BITS = 16, 4  # of a DPR16X4

_IN_FLIGHT = 16  # instructions of an engine, as in ``hw.engine_queue``
_PLANS = 64  # runs of STORE, as in ``hw.store``
_PARTIALS = 16  # words between two rounds of a reduction, as in ``hw.vector``

#: What Yosys weighs in ``memory_libmap`` with ``share/lattice``: costs of the cells, and of a bit of a multiplexer behind them.
_BLOCK_COST, _RAM_COST, _MULTIPLEXER_COST = 128, 4, 0.5


@dataclass(frozen=True)
class Shape:
    """``depth`` words of ``width`` bits, written by lanes of ``lane``: the parameters of ``hw.memory``."""

    width: int
    depth: int
    lane: int


def memories(p: SystolicParams) -> dict[str, list[Shape]]:
    """Of each module: those in all its instances. Small ones whose shapes change little are left out, and fitted with their module."""
    line, word = 8 * p.line_bytes, 8 * max(4 * p.cols, p.bus_bytes)

    def banks(size: int, width: int, number: int, lane: int = 8) -> list[Shape]:
        return number * [Shape(width, 8 * size // width // number, lane)]

    parameters = banks(p.parameter_bytes, word, 1)
    instructions = _instruction_bits(p.window_taps, SystolicArray.transposable(p.rows, p.cols))
    waiting = (p.acc_words - 1).bit_length() + (p.par_words - 1).bit_length() + 3  # bits of what a vector's sums will need
    owed, marks = 1 << (p.queue_depth + _IN_FLIGHT - 1).bit_length(), ENCODING.place("mark")[1]
    lengths = (burst_limit(p) - 1).bit_length()
    plans = _plan_bits(p.bus_bytes, p.address_bits)
    written = max(p.activation_bytes // p.cols, p.vec_words, p.par_words)  # words of the largest memory that VECTOR writes
    place = max(1, (p.cols // p.lanes - 1).bit_length()) + (written - 1).bit_length() + 2
    found = {
        "activation_buffer": banks(p.activation_bytes, line, activation_banks(p)),
        "weight_buffer": banks(p.weight_bytes, line, 1),
        "vector_buffer_x": banks(p.vector_bytes, line, VECTOR_BANKS), "vector_buffer_y": banks(p.vector_bytes, line, VECTOR_BANKS),
        "parameter_buffer": (3 if p.window_taps else 4) * parameters,
        "accumulators": banks(p.accumulator_bytes, 32 * p.cols, p.accumulator_banks, 32 * p.window_lanes),
        "lane": p.lanes * banks(256 * p.tables, line, 1),
        "control": [Shape(32, p.markers, 32)],
        "engine_queue": [Shape(bits, p.queue_depth, bits) for bits in instructions],
        "matrix_engine": [Shape(waiting, 1 << MatrixEngine.latency(p).bit_length(), waiting)],
        "systolic_array": [Shape(bits, 1 << (cycles - 1).bit_length(), bits)  # what ``hw.delay.remembered`` holds back
                           for size, bits in ((p.rows, OPERAND_BITS), (p.cols, OPERAND_BITS), (p.cols, 32)) for cycles in range(2, size)],
        "engine_queue_waits": len(instructions) * [Shape(p.tokens, p.queue_depth, p.tokens)],
        "engine_queue_to_release": len(instructions) * [Shape(p.tokens, owed, p.tokens)],
        "engine_queue_to_finish": len(instructions) * [Shape(p.tokens + marks, owed, p.tokens + marks)],
        "lane_reduction": p.lanes * [Shape(32, _PARTIALS * p.cols // p.lanes, 32)],
        "store_engine_plans": [Shape(plans, _PLANS, plans)],
        "vector_engine": 2 * [Shape(place, 1 << (VectorEngine.latency - 2).bit_length(), place)],
        "fifo": [Shape(lengths, p.max_outstanding, lengths)],
        "fetch": [Shape(-(-max(instructions) // p.bus_bits) * p.bus_bits, FETCH_AHEAD, p.bus_bits)],
    }
    if p.window_taps:
        lane = OPERAND_BITS * p.window_lanes
        found |= {"parameter_buffer_z": parameters, "window_weights": [Shape(lane * p.window_taps, 2 * WINDOW_ROWS + 2, lane)]}
    return {f"{PREFIX}_{module}": shapes for module, shapes in found.items()}


def memory_cells(p: SystolicParams) -> dict[str, Counter[str]]:
    """Cells of all ``memories``, by module."""
    found = {}
    for module, shapes in memories(p).items():
        found[module] = cells = Counter()
        for shape, number in Counter(shapes).items():
            for kind, count in cells_of(shape).items():
                cells[kind] += number * count
    return found


@cache
def _instruction_bits(window_taps: int, transposable: bool) -> tuple[int, ...]:
    """Bits of each engine's instructions; nothing else of a configuration changes them."""
    rows = SystolicParams.cols if transposable else 2 * SystolicParams.cols
    p = replace(SystolicParams(), rows=rows, window_taps=window_taps)
    return tuple(ENCODING.used(kind.mnemonic(p)) for kind in engine_classes(p).values())


@cache
def _plan_bits(bus_bytes: int, address_bits: int) -> int:
    return plan_layout(bus_bytes, address_bits, 0).size


@cache
def cells_of(shape: Shape) -> Counter[str]:
    """Blocks or distributed RAM, whichever Yosys finds cheaper, and the logic around them."""
    lanes = shape.width // shape.lane
    words = min(reversed(_BLOCK), key=lambda words: _blocks(shape, words))  # of equal ones, that with fewest rows
    blocks = _blocks(shape, words)
    rams = lanes * -(-shape.lane // _RAM_BITS)
    rows = -(-shape.depth // _RAM_WORDS)
    found = Counter({"memory bits": shape.width * shape.depth})
    if _BLOCK_COST * blocks < _RAM_COST * rams * rows + _MULTIPLEXER_COST * (shape.width * (rows - 1) + lanes * (rows - 1)):
        found["EBR"] = blocks
        rows = -(-shape.depth // words)
        found["FF"] = (rows - 1).bit_length()
        if words == 1024 and 1 < lanes:  # write enables of the two bytes, each with the block's own
            found["LUT4"] = blocks
    else:
        found |= {"DPR16X4": rams * rows, "FF": shape.width}
    if rows > 1:  # a choice of one, and whether it is written
        found["LUT4"] += shape.width * (rows - 1) + lanes * rows
    return +found


def _blocks(shape: Shape, words: int) -> int:
    """Blocks of 18 kbit, each organised as so many words."""
    bits = _BLOCK[words]
    lanes, rows = shape.width // shape.lane, -(-shape.depth // words)
    if bits < _BYTE:
        return lanes * -(-shape.lane // bits) * rows
    return -(-(lanes * -(-shape.lane // _BYTE)) // (bits // _BYTE)) * rows
