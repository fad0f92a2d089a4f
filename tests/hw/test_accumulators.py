# amaranth: UnusedElaboratable=no
"""The accumulators in simulation: MATRIX reads and writes, VECTOR reads what is left."""

import numpy as np
import pytest

from hw.accumulators import ACCUMULATOR_BANKS, Accumulators
from hw.params import SystolicParams
from tb.stream import Stream

PARAMS = SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, activation_bytes=1024, weight_bytes=1024,
                        accumulator_bytes=1024, vector_bytes=1024, parameter_bytes=1024)


@pytest.mark.rtl
def test_random_accesses():
    rng = np.random.default_rng(1)
    words, cols = PARAMS.acc_words, PARAMS.cols
    cycles = words + 4000
    enable = {port: rng.random(cycles) < 0.6 for port in "mwv"}
    address = {port: rng.integers(0, words, cycles) for port in "mwv"}
    enable["w"][:words], address["w"][:words] = True, np.arange(words)
    data = rng.integers(0, 2**32, (cycles, cols), dtype=np.uint32)
    got = Stream(Accumulators(PARAMS)).run({
        **{f"{port}_en": enable[port] for port in "mwv"}, **{f"{port}_addr": address[port] for port in "mwv"}, "w_data": data})
    held, refused, met = np.zeros((words, cols), np.uint32), 0, 0
    for cycle in range(cycles - 1):
        m, w, v = (address[port][cycle] if enable[port][cycle] else None for port in "mwv")
        bank = words // ACCUMULATOR_BANKS
        if v is not None:
            free = m is None or m // bank != v // bank
            assert got["v_grant"][cycle] == free, f"cycle {cycle}"
            refused += not free
            v = v if free else None
        for port, a in (("m", m), ("v", v)):
            if cycle >= words and a is not None:
                met += a == w
                if a != w:
                    assert (got[f"{port}_data"][cycle + 1] == held[a]).all(), f"cycle {cycle}: {port} reads word {a}"
        if w is not None:
            held[w] = data[cycle]
    assert refused > 500 and met > 10
