"""The cycle model against the RTL's own counters, on random programs of several kinds."""

import random

import numpy as np
import pytest

from tenon.acg.encoding import Header
from tenon.hw.covenant import covenant
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import preset
from tenon.hw.registers import ErrorCode
from tenon.tb.functional import decode_program
from tenon.tb.gateware import verilog_of
from tenon.tb.model import simulate_program
from tenon.tb.random_banks import random_banks, without_precedence
from tenon.tb.rtl import Run, run_rtl

PARAMS = preset("tiny")
GRAPH = covenant(PARAMS)
WORD = PARAMS.bus_bytes
WHOLE = {"y_lim": 1, "x_lim": 1}


def moves(rng, aligned):
    """Strided transfers in and out, each side by side with the other direction."""
    for _ in range(25):
        n = rng.randint(1, 20) * (WORD if aligned else 1) + (0 if aligned else 3)
        runs, gap = rng.randint(1, 12), rng.randint(0, 3) * (WORD if aligned else 1)
        shift = 0 if aligned else rng.randrange(WORD)
        yield "LOAD", dict(mem="act", seg="inputs", n=n, n_l0=runs, s=shift, s_l0=n + gap, d_l0=n, **WHOLE), Header()
        yield "STORE", dict(seg="outputs", n=n, n_l0=runs, s_l0=n, d=shift, d_l0=n + gap), Header()


def padded(rng):
    """Windows of which part lies outside the tensor."""
    for _ in range(30):
        n, rows = 4 * rng.randint(1, 8), rng.randint(2, 10)
        yield "LOAD", dict(mem="act", seg="inputs", n=n, n_l0=rows, s=-8, s_l0=n, d_l0=n, y=-1, y_l0=1, y_lim=rows - 1,
                           x=-4, x_run="on", x_lim=n - 4), Header()


def layers(rng):
    """Load, product, requantisation, store: two buffers of each, as a compiler would place them."""
    for i in range(12):
        m, k, half = rng.randint(1, 40), rng.randint(1, 6), i % 2
        free = 0 if i < 2 else 1
        yield "LOAD", dict(mem="act", seg="inputs", n=4 * m, n_l0=k, s_l0=4 * m, d=1024 * half, d_l0=4 * m,
                           **WHOLE), Header(done=1, waits=8 * free)
        yield "LOAD", dict(mem="wgt", seg="constants", n=16 * k, d=256 * half, **WHOLE), Header(done=2)
        yield "MATRIX", dict(wgt_signed="on", n_m0=m, a=256 * half, a_m0=1, n_k0=k, a_k0=m, w=64 * half, w_k0=4, d=40 * half,
                             d_m0=1), Header(waits=3 | 16 * free, release=8, done=4)
        yield "VECTOR", dict(n_o0=m, x=40 * half, x_o0=1, d=40 * half, d_o0=1, s_value=0.01, lo=-128, hi=127), Header(
            waits=4 | 64 * free, release=16, done=32)
        yield "STORE", dict(seg="outputs", n=4 * m, s=160 * half), Header(waits=32, release=64, mark=i + 1)


def banks(rng):
    """Engines side by side, at the same banks as often as at others."""
    return ((i.mnemonic.name, i.fields, i.header) for i in random_banks(GRAPH, rng))


KINDS = {"aligned": lambda rng: moves(rng, True), "unaligned": lambda rng: moves(rng, False), "padded": padded,
         "layers": layers, "banks": banks}


def simulated(kind, programs):
    """Random programs, what the model says of each, and what the RTL does."""
    rng = random.Random(kind)
    images = [b"".join(ENCODING.encode(GRAPH.mnemonic(name), fields, header) for name, fields, header in KINDS[kind](rng)) + bytes(128)
              for _ in range(programs)]
    places = [0x8000 * i for i in range(len(images))]
    segments = (0x40000, 0x44000, 0x48000, 0x4C000)
    runs = [Run(place, len(image) // 128, segments, cycle_limit=100_000) for place, image in zip(places, images, strict=True)]
    result = run_rtl(verilog_of(PARAMS), PARAMS, runs, image=list(zip(places, images, strict=True)))
    for image, seen in zip(images, result.runs, strict=True):
        assert seen.error == ErrorCode.NONE
        program = decode_program(image, GRAPH)
        said = simulate_program(program, GRAPH)
        assert said.counters["READ_BEATS"] == seen.counters["READ_BEATS"]
        assert said.counters["WRITE_BEATS"] == seen.counters["WRITE_BEATS"]
        assert [mark for mark, _ in said.marks] == [mark.index for mark in seen.marks]
        yield program, said.cycles, seen.cycles


@pytest.mark.rtl
@pytest.mark.parametrize("kind", ["aligned", "unaligned", "padded", "layers"])
def test_cycles(kind):
    for _, said, seen in simulated(kind, 4):
        assert abs(said - seen) <= 0.03 * seen


@pytest.mark.rtl
def test_cycles_with_busy_banks():
    """Whether one instruction comes to a bank just before another or behind it may decide much; so programs are held together."""
    free = without_precedence(GRAPH)
    errors, without = [], []
    for program, said, seen in simulated("banks", 16):
        errors.append(abs(said / seen - 1))
        without.append(1 - simulate_program(program, free).cycles / seen)
    assert np.mean(errors) < 0.02 and max(errors) < 0.15
    assert np.mean(without) > 0.2, "nobody waited"
