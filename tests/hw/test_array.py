# amaranth: UnusedElaboratable=no
"""The systolic array in simulation: tiles back to back, and with pauses, against matrix products."""

import numpy as np
import pytest

from tenon.hw.array import OPERAND_BITS, SystolicArray
from tenon.tb.stream import Stream

pytestmark = pytest.mark.rtl

SHAPES = [(4, 4, False), (4, 8, True), (8, 4, False), (16, 16, False), (16, 16, True)]
LOW, HIGH = -(1 << OPERAND_BITS - 1), (1 << OPERAND_BITS - 1) - 1


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: f"{s[0]}x{s[1]}{'_registered' * s[2]}")
def bench(request):
    rows, cols, registered = request.param
    stream = Stream(SystolicArray(rows, cols, product_register=registered), no_inline=["tenon_systolic_row"])
    return rows, cols, SystolicArray.latency(rows, cols, product_register=registered), stream


def packed(vectors):
    """Operands (cycle, item) as 32-bit words (cycle, word), item 0 lowest."""
    bits = vectors[:, :, None] >> np.arange(OPERAND_BITS) & 1
    bits = bits.reshape(len(vectors), -1).astype(np.uint8)
    bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    return np.packbits(bits, axis=1, bitorder="little").view("<u4")


def run(bench, tiles, rng):
    """Streams (count, gap, transposed) tiles, each ``gap`` cycles later than it could be; returns the sums and the products.

    The weights of a tile are loaded as soon as its predecessor is swapped in. Whatever is not in use is noise.
    """
    rows, cols, latency, stream = bench
    beats = max(rows, cols)
    operands = {n: rng.integers(LOW, HIGH + 1, (sum(max(n, beats) + g for n, g, _ in tiles) + 3 * beats, size))
                for n, size in (("x", rows), ("w", cols))}
    length = len(operands["x"])
    swap, load = (np.zeros(length, np.int64) for _ in range(2))
    beat, sideways = rng.integers(0, beats, length), rng.integers(0, 2, length)
    expected = {}
    at, loadable = 0, 0  # the cycle after the last vector; the first cycle that the next weights may take
    for count, gap, transposed in tiles:
        weights = rng.integers(LOW, HIGH + 1, (rows, cols))
        words = weights.T if transposed else weights
        during = slice(loadable, loadable + len(words))
        load[during], sideways[during], beat[during] = 1, transposed, np.arange(len(words))
        operands["w"][during, :words.shape[1]] = words[::-1]
        first = max(at, loadable + len(words) + 1) + gap
        swap[first - 1] = 1
        products = operands["x"][first:first + count] @ weights
        expected |= {first + v: products[v] for v in range(count)}
        at, loadable = first + count, first - 1
    inputs = {"x": packed(operands["x"]), "w": packed(operands["w"]), "swap": swap, "load": load, "beat": beat,
              "now": np.arange(length) % max(rows, cols)}
    got = stream.run(inputs | ({"transposed": sideways} if SystolicArray.transposable(rows, cols) else {}))
    cycles = np.array(sorted(expected))
    return got["o_sums"].astype(np.int32)[cycles + latency], np.array([expected[c] for c in cycles]), cycles


def test_back_to_back(bench):
    """Tiles of as many vectors as there are rows: vectors come every cycle, weights are loaded in every cycle."""
    rows = bench[0]
    got, expected, cycles = run(bench, [(rows, 0, False)] * 12, np.random.default_rng(1))
    assert cycles[-1] - cycles[0] + 1 == len(cycles) == 12 * rows
    np.testing.assert_array_equal(got, expected)


def test_transposed_back_to_back(bench):
    """By rows and by columns in turns, as many vectors as either takes: without a bubble too."""
    rows, cols, *_ = bench
    if not SystolicArray.transposable(rows, cols):
        assert rows > cols
        return
    kinds = [False, False, True, True, False, True]
    tiles = [(cols if after else rows, 0, kind) for kind, after in zip(kinds, [*kinds[1:], False])]
    got, expected, cycles = run(bench, tiles, np.random.default_rng(3))
    assert cycles[-1] - cycles[0] + 1 == len(cycles) == sum(count for count, _, _ in tiles)
    np.testing.assert_array_equal(got, expected)


def test_any_length(bench):
    """Long, short and single-vector tiles, at once and later, by rows and by columns."""
    rows, cols, *_ = bench
    rng = np.random.default_rng(2)
    counts = np.where(rng.random(60) < 0.3, 1, rng.integers(1, 3 * rows, 60))
    kinds = rng.random(60) < 0.5 * SystolicArray.transposable(rows, cols)
    tiles = [(int(count), int(gap), bool(kind)) for count, gap, kind in zip(counts, rng.choice((0, 0, 1, 2, 7), 60), kinds)]
    got, expected, _ = run(bench, tiles, rng)
    np.testing.assert_array_equal(got, expected)
    assert {(1, 0), (1, 1)} <= {tile[:2] for tile in tiles}, "single vectors never occurred"


def test_extreme_operands():
    """All operands at the low end: the largest products there are, the same in every cell."""
    rows, cols = 4, 4
    length = 3 * rows + 2
    stream = Stream(SystolicArray(rows, cols), no_inline=["tenon_systolic_row"])
    ones = np.full((length, rows), LOW)
    cycle = np.arange(length)
    got = stream.run({"x": packed(ones), "w": packed(ones), "now": cycle % cols, "load": cycle < rows, "beat": cycle % rows,
                      "swap": cycle == rows, "transposed": cycle < 0})
    sums = got["o_sums"].astype(np.int32)[rows + 1 + SystolicArray.latency(rows, cols)]
    assert sums.tolist() == [rows * LOW * LOW] * cols
