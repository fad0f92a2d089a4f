# amaranth: UnusedElaboratable=no
"""The systolic array in simulation: tiles back to back, and with pauses, against matrix products."""

import numpy as np
import pytest

from hw.array import OPERAND_BITS, SystolicArray
from tb.stream import Stream

pytestmark = pytest.mark.rtl

SHAPES = [(4, 4), (4, 8), (8, 4), (16, 16)]
LOW, HIGH = -(1 << OPERAND_BITS - 1), (1 << OPERAND_BITS - 1) - 1


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
def bench(request):
    rows, cols = request.param
    return rows, cols, Stream(SystolicArray(rows, cols), no_inline=["tenon_systolic_row"])


def packed(vectors):
    """Operands (cycle, item) as 32-bit words (cycle, word), item 0 lowest."""
    bits = vectors[:, :, None] >> np.arange(OPERAND_BITS) & 1
    bits = bits.reshape(len(vectors), -1).astype(np.uint8)
    bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    return np.packbits(bits, axis=1, bitorder="little").view("<u4")


def run(bench, tiles, rng):
    """Streams (count, gap) tiles, each ``gap`` cycles later than it could be; returns the sums and the products.

    The weights of a tile are loaded as soon as its predecessor is swapped in. Whatever is not in use is noise.
    """
    rows, cols, stream = bench
    operands = {n: rng.integers(LOW, HIGH + 1, (sum(max(n, rows) + g for n, g in tiles) + 3 * rows, size))
                for n, size in (("x", rows), ("w", cols))}
    length = len(operands["x"])
    swap, load = (np.zeros(length, np.int64) for _ in range(2))
    beat = rng.integers(0, rows, length)
    expected = {}
    at, loadable = 0, 0  # the cycle after the last vector; the first cycle that the next weights may take
    for count, gap in tiles:
        weights = rng.integers(LOW, HIGH + 1, (rows, cols))
        load[loadable:loadable + rows] = 1
        beat[loadable:loadable + rows] = np.arange(rows)
        operands["w"][loadable:loadable + rows] = weights[::-1]
        first = max(at, loadable + rows + 1) + gap
        swap[first - 1] = 1
        products = operands["x"][first:first + count] @ weights
        expected |= {first + v: products[v] for v in range(count)}
        at, loadable = first + count, first - 1
    got = stream.run({"x": packed(operands["x"]), "w": packed(operands["w"]), "swap": swap, "load": load, "beat": beat})
    cycles = np.array(sorted(expected))
    return got["o_sums"].astype(np.int32)[cycles + SystolicArray.latency(rows, cols)], np.array([expected[c] for c in cycles]), cycles


def test_back_to_back(bench):
    """Tiles of as many vectors as there are rows: vectors come every cycle, weights are loaded in every cycle."""
    rows = bench[0]
    got, expected, cycles = run(bench, [(rows, 0)] * 12, np.random.default_rng(1))
    assert cycles[-1] - cycles[0] + 1 == len(cycles) == 12 * rows
    np.testing.assert_array_equal(got, expected)


def test_any_length(bench):
    """Long, short and single-vector tiles, at once and later."""
    rng = np.random.default_rng(2)
    counts = np.where(rng.random(60) < 0.3, 1, rng.integers(1, 3 * bench[0], 60))
    tiles = [(int(count), int(gap)) for count, gap in zip(counts, rng.choice((0, 0, 1, 2, 7), 60))]
    got, expected, _ = run(bench, tiles, rng)
    np.testing.assert_array_equal(got, expected)
    assert {(1, 0), (1, 1)} <= set(tiles), "single vectors never occurred"


def test_extreme_operands():
    """All operands at the low end: the largest products there are, the same in every cell."""
    rows, cols = 4, 4
    length = 3 * rows + 2
    stream = Stream(SystolicArray(rows, cols), no_inline=["tenon_systolic_row"])
    ones = np.full((length, rows), LOW)
    cycle = np.arange(length)
    got = stream.run({"x": packed(ones), "w": packed(ones), "load": cycle < rows, "beat": cycle % rows, "swap": cycle == rows})
    sums = got["o_sums"].astype(np.int32)[rows + 1 + SystolicArray.latency(rows, cols)]
    assert sums.tolist() == [rows * LOW * LOW] * cols
