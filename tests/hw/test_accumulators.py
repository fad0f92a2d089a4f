# amaranth: UnusedElaboratable=no
"""The accumulators in simulation: three readers and two writers, each granted unless one before it has the bank."""

import numpy as np
import pytest

from tenon.hw.accumulators import Accumulators
from tenon.hw.params import SystolicParams
from tenon.tb.stream import Stream

SHAPES = {"4x4": (4, 4, 2), "4x16": (4, 16, 4), "8x4": (8, 4, 4)}
READS, WRITES = ("m", "v", "x"), ("w", "xw")


@pytest.mark.rtl
@pytest.mark.parametrize("shape", SHAPES)
def test_random_accesses(shape):
    rows, cols, banks = SHAPES[shape]
    params = SystolicParams(rows=rows, cols=cols, lanes=cols, bus_bits=32, activation_bytes=1024, weight_bytes=1024,
                            accumulator_bytes=256 * cols, accumulator_banks=banks, vector_bytes=1024, parameter_bytes=1024)
    rng = np.random.default_rng(1)
    words = params.acc_words
    parts = {port: cols // params.window_lanes if port in ("x", "xw") else 1 for port in (*READS, *WRITES)}
    cycles = words + 4000
    enable = {port: rng.random(cycles) < 0.5 for port in (*READS, *WRITES)}
    address = {port: rng.integers(0, words * parts[port], cycles) for port in enable}
    first = slice(1, words + 1)  # every word is written once; the address of one in cycle 0 would have come before
    enable["w"][0], enable["w"][first], address["w"][first] = False, True, np.arange(words)
    enable["xw"][:first.stop] = False
    data = {port: rng.integers(0, 2**32, (cycles, cols // parts[port]), dtype=np.uint32) for port in WRITES}
    got = Stream(Accumulators(params)).run({
        **{f"{port}_en": enable[port] for port in enable}, **{f"{port}_addr": address[port] for port in enable},
        "w_data": data["w"], "xw_data": data["xw"],
        "w_en": np.r_[enable["w"][1:], 0], "w_addr": np.r_[address["w"][1:], 0]})  # a cycle before the word
    held, refused, read = np.zeros((words, cols), np.uint32), dict.fromkeys(enable, 0), dict.fromkeys(READS, 0)
    for cycle in range(cycles - 1):
        served = {}
        for ports in (READS, WRITES):
            banks = set()
            for port in ports:
                if enable[port][cycle]:
                    bank = address[port][cycle] * params.accumulator_banks // (words * parts[port])
                    if port not in ("m", "w"):
                        assert got[f"{port}_grant"][cycle] == (bank not in banks), f"cycle {cycle}: {port}"
                    if bank not in banks:
                        served[port] = address[port][cycle]
                    refused[port] += bank in banks
                    banks.add(bank)
        written = {served[port] // parts[port] for port in WRITES if port in served}
        for port in READS:
            if port in served and cycle >= first.stop and served[port] // parts[port] not in written:
                read[port] += 1
                seen = held.reshape(words * parts[port], -1)[served[port]]
                assert (got[f"{port}_data"][cycle + 1] == seen).all(), f"cycle {cycle}: {port} reads word {served[port]}"
        for port in WRITES:
            if port in served:
                held.reshape(words * parts[port], -1)[served[port]] = data[port][cycle]
    assert min(refused[port] for port in enable if port not in ("m", "w")) > 200 and min(read.values()) > 500
