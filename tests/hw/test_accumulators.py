# amaranth: UnusedElaboratable=no
"""The accumulators in simulation: three readers and three writers, each granted unless one before it has the bank."""

import numpy as np
import pytest

from hw.accumulators import ACCUMULATOR_BANKS, Accumulators
from hw.params import SystolicParams
from tb.stream import Stream

PARAMS = SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, activation_bytes=1024, weight_bytes=1024,
                        accumulator_bytes=1024, vector_bytes=1024, parameter_bytes=1024)
READS, WRITES = ("m", "v", "x"), ("w", "vw", "xw")


@pytest.mark.rtl
def test_random_accesses():
    rng = np.random.default_rng(1)
    words, cols = PARAMS.acc_words, PARAMS.cols
    cycles = words + 4000
    enable = {port: rng.random(cycles) < 0.5 for port in (*READS, *WRITES)}
    address = {port: rng.integers(0, words, cycles) for port in enable}
    enable["w"][:words], address["w"][:words] = True, np.arange(words)
    for port in ("vw", "xw"):
        enable[port][:words] = False
    data = {port: rng.integers(0, 2**32, (cycles, cols), dtype=np.uint32) for port in WRITES}
    got = Stream(Accumulators(PARAMS)).run({
        **{f"{port}_en": enable[port] for port in enable}, **{f"{port}_addr": address[port] for port in enable},
        **{f"{port}_data": data[port] for port in WRITES}})
    held, refused, read = np.zeros((words, cols), np.uint32), dict.fromkeys(enable, 0), dict.fromkeys(READS, 0)
    for cycle in range(cycles - 1):
        served = {}
        for ports in (READS, WRITES):
            banks = set()
            for port in ports:
                if enable[port][cycle]:
                    bank = address[port][cycle] * ACCUMULATOR_BANKS // words
                    if port not in ("m", "w"):
                        assert got[f"{port}_grant"][cycle] == (bank not in banks), f"cycle {cycle}: {port}"
                    if bank not in banks:
                        served[port] = address[port][cycle]
                    refused[port] += bank in banks
                    banks.add(bank)
        written = {served[port] for port in WRITES if port in served}
        for port in READS:
            if port in served and cycle >= words and served[port] not in written:
                read[port] += 1
                assert (got[f"{port}_data"][cycle + 1] == held[served[port]]).all(), f"cycle {cycle}: {port} reads word {served[port]}"
        for port in WRITES:
            if port in served:
                held[served[port]] = data[port][cycle]
    assert min(refused[port] for port in enable if port not in ("m", "w")) > 300 and min(read.values()) > 500
