# amaranth: UnusedElaboratable=no
"""A small program written by hand: every engine once, RTL against the functional simulator, and errors."""

import numpy as np
import pytest

from tenon.acg.encoding import Header
from tenon.hw.accelerator import engine_classes
from tenon.hw.buffers import memory_bytes
from tenon.hw.covenant import covenant
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import preset
from tenon.hw.registers import ErrorCode
from tenon.tb.functional import FunctionalSimulator, decode_program
from tenon.tb.gateware import verilog_of
from tenon.tb.random_runs import SHAPES
from tenon.tb.rtl import Dram, Run, Stuck, run_rtl

pytestmark = pytest.mark.rtl

_SEGMENTS = ("CONSTANTS", "ARENA", "INPUTS", "OUTPUTS")
_SIZE = 1 << 14
_BASES = (0x1000, 0x1000 + _SIZE, 0x1000 + 2 * _SIZE, 0x1000 + 3 * _SIZE)


def _program(p, steps):
    mnemonics = {name: kind.mnemonic(p) for name, kind in engine_classes(p).items()}
    image = b"".join(ENCODING.encode(mnemonics[name], fields, header) for name, fields, header in steps)
    return image + bytes(128)


def _gemm(p, m=24):
    """One tile: M vectors of 2 * rows bytes, cols columns, requantised to int8, in three pieces of M."""
    part, rows, cols = m // 3, p.rows, p.cols
    return [
        ("LOAD", dict(mem="wgt", seg="constants", n=2 * rows * cols, y_lim=1, x_lim=1), Header()),
        ("LOAD", dict(mem="par", seg="constants", n=8 * cols, s=4096, y_lim=1, x_lim=1), Header()),
        ("LOAD", dict(mem="act", seg="inputs", n=2 * rows, n_l0=m, s=3, s_l0=2 * rows, d_l0=2 * rows, y_lim=1, x_lim=1), Header(done=1)),
        *(("MATRIX", dict(act_signed=0, wgt_signed=1, init="bias", za=7, zw=-3, n_k0=2, a_k0=1, w_k0=rows,
                          n_m0=part, a=2 * part * i, a_m0=2, d=part * i, d_m0=1), Header(waits=1 if i == 0 else 0, done=4))
          for i in range(3)),
        *(("VECTOR", dict(x_sel="acc", n_i=part, x=part * i, x_i=1, s_sel="lanes", s=1, d=part * i, d_i=1, post=5, lo=-128, hi=127),
           Header(waits=4, done=8)) for i in range(3)),
        *(("STORE", dict(seg="outputs", n=part * cols, s=part * cols * i, d=1 + part * cols * i), Header(waits=8, mark=i + 1))
          for i in range(3)),
    ]


def _windows(p):
    """A larger tile of ``_gemm`` out of one half of ACT into one of ACC; beside it a 3x3 depthwise tile and a pooled one."""
    gemm = _gemm(p, 108)
    lanes, h, w = p.window_lanes, 6, 8
    near, acc = p.activation_bytes // 2 // lanes, p.accumulator_bytes // 2 // (4 * lanes)
    row, weights = w + 2, 2 * p.rows * p.cols
    whole = dict(y_lim=1, x_lim=1)
    window = dict(act_signed=1, za=-9, n_o0=h, n_x=w, n_k1=3, n_t=3, a=near, a_o0=row, a_x=1, a_k1=row, a_t=1, d=acc, d_o0=w, d_x=1)
    pooled = window | dict(kind="max", n_o0=h // 2, n_x=w // 2, a_o0=2 * row, a_x=2, n_k1=2, n_t=2, d=acc + h * w, d_o0=w // 2)
    first, words = acc * lanes // p.cols, 5 * h * w // 4 * lanes // p.cols
    return [
        ("LOAD", dict(mem="wgt", seg="constants", n=9 * lanes, s=512, d=weights, **whole), Header()),
        ("LOAD", dict(mem="act", seg="inputs", n=row * lanes, n_l0=h + 2, s=7000, s_l0=row * lanes, d=near * lanes, d_l0=row * lanes,
                      **whole), Header()),
        *gemm[:2], (*gemm[2][:2], Header(done=1 | 2, mark=5)),
        ("WINDOW", window | dict(kind="weights_i8", init="bias", zw=5, w=weights // lanes, w_k1=3, w_t=1), Header(waits=2)),
        ("WINDOW", pooled, Header(done=16, mark=6)),
        *((name, fields, Header(header.waits, 0, header.done, 7)) for name, fields, header in gemm[3:6]), *gemm[6:],
        ("VECTOR", dict(x_sel="acc", n_i=words, x=first, x_i=1, s_value=0.02, d=128, d_i=1, lo=-128, hi=127), Header(waits=16, done=32)),
        ("STORE", dict(seg="outputs", n=words * p.cols, s=128 * p.cols, d=8192), Header(waits=32, mark=4)),
    ]


def _segments(p, rng):
    segments = {name: rng.integers(0, 256, _SIZE, dtype=np.uint8) for name in _SEGMENTS}
    constants = segments["CONSTANTS"]
    constants[4096:4096 + 4 * p.cols].view(np.int32)[:] = rng.integers(-1000, 1000, p.cols)
    constants[4096 + 4 * p.cols:4096 + 8 * p.cols].view(np.float32)[:] = rng.uniform(0.0005, 0.003, p.cols)
    return segments


def _run(p, image, segments, limit=100_000, **dram):
    place = [(0, image), *zip(_BASES, (segments[n].tobytes() for n in _SEGMENTS), strict=True)]
    run = Run(0, len(image) // 128, _BASES, cycle_limit=limit)
    return run_rtl(verilog_of(p), p, [run, run], image=place, regions=[(_BASES[3], _SIZE)], dram=Dram(**dram))


_SHAPES = {name: SHAPES[name] for name in ("4x4", "4x16", "16x8")}


@pytest.mark.parametrize("dram", [{}, {"stall": 40, "jitter": 25, "seed": 5}], ids=["standard", "stalls"])
@pytest.mark.parametrize("shape", _SHAPES)
def test_gemm_equals_the_functional_simulator(shape, dram):
    p = _SHAPES[shape]
    image = _program(p, _gemm(p))
    segments = _segments(p, np.random.default_rng(1))
    result = _run(p, image, segments, **dram)
    FunctionalSimulator(memory_bytes(p)).run(decode_program(image, covenant(p)), segments)
    assert [r.error for r in result.runs] == [ErrorCode.NONE] * 2
    assert [m.index for m in result.runs[1].marks] == [1, 2, 3]
    assert len(set(segments["OUTPUTS"][1:1 + 24 * p.cols])) > 20, "the requantised values must vary"
    assert result.regions[0] == segments["OUTPUTS"].tobytes()


@pytest.mark.parametrize("shape", _SHAPES)
def test_window_beside_matrix(shape):
    """Both engines at once, each out of its half of ACT into its half of ACC; cycles as the covenant promises."""
    p = _SHAPES[shape]
    steps = _windows(p)
    image = _program(p, steps)
    segments = _segments(p, np.random.default_rng(3))
    result = _run(p, image, segments)
    program = decode_program(image, covenant(p))
    FunctionalSimulator(memory_bytes(p)).run(program, segments)
    assert [r.error for r in result.runs] == [ErrorCode.NONE] * 2
    assert len(set(segments["OUTPUTS"][8192:8192 + 60 * p.window_lanes])) > 20, "the requantised values must vary"
    assert result.regions[0] == segments["OUTPUTS"].tobytes()
    counters = result.runs[1].counters
    costs = [(i.mnemonic, i.fields) for i in program if i.mnemonic.name == "WINDOW"]
    promised = sum(m.timing.cycles("occupancy", f) for m, f in costs) + costs[0][0].timing.cycles("fill", costs[0][1]) + \
        costs[0][0].timing.cycles("visible", {})
    assert promised <= counters["WINDOW_BUSY"] <= promised + counters["WINDOW_BANK"]
    marks = {mark.index: mark.counters["CYCLES"] for mark in result.runs[1].marks}
    window, matrix = marks[6] - marks[5], marks[7] - marks[5]  # both began with the same token
    assert min(counters["MATRIX_BUSY"], matrix) > 200 and matrix < counters["MATRIX_BUSY"] + 10
    # Weights come after those of MATRIX, activations beside its own.
    assert window < promised + 3 * p.rows


@pytest.mark.parametrize(("step", "error"), [
    (("MATRIX", dict(a=2047, n_m0=2, a_m0=1), Header()), ErrorCode.ADDRESS),
    (("WINDOW", dict(d=511, n_x=2, d_x=1), Header()), ErrorCode.ADDRESS),
    (("STORE", dict(seg="outputs", n=4, d=-(2**31)), Header()), ErrorCode.STORE_BUS),
    (("LOAD", dict(mem="act", seg="inputs", n=4, s=2**30, y_lim=1, x_lim=1), Header()), ErrorCode.LOAD_BUS),
], ids=["address", "window address", "store bus", "load bus"])
def test_errors_are_answered(step, error):
    p = preset("tiny")
    image = _program(p, [*_gemm(p)[:3], step, *_gemm(p)[3:]])
    result = _run(p, image, _segments(p, np.random.default_rng(2)))
    assert [r.error for r in result.runs] == [error] * 2


@pytest.mark.parametrize("behind", [0, 20], ids=["at the end", "behind a full queue"])
def test_a_deadlock_is_answered(behind):
    """A token that nothing signals, awaited after the last instruction or by the first of more than its queue holds."""
    p = preset("tiny")
    step = ("VECTOR", dict(x_sel="u8", lo=0, hi=255), Header(waits=1 << 15))
    image = _program(p, [*_gemm(p)[:3], step, *[("VECTOR", dict(x_sel="u8", lo=0, hi=255), Header())] * behind])
    result = _run(p, image, _segments(p, np.random.default_rng(2)), stall=40, jitter=25, seed=6)
    assert [r.error for r in result.runs] == [ErrorCode.DEADLOCK] * 2, "and the accelerator starts anew"


def test_a_run_that_takes_too_long_says_how_far_it_came():
    p = preset("tiny")
    image = _program(p, _gemm(p))
    with pytest.raises(Stuck, match=r"^run 0 did not end within 700 cycles; [1-9] instructions were dispatched\n"):
        _run(p, image, _segments(p, np.random.default_rng(2)), limit=700, latency=250)


def test_an_unknown_opcode_and_a_missing_end_are_answered():
    p = preset("tiny")
    image = _program(p, _gemm(p))
    segments = _segments(p, np.random.default_rng(2))
    assert _run(p, image[:256] + b"\x0f" + bytes(127) + image[256:], segments).runs[0].error == ErrorCode.OPCODE
    assert _run(p, image[:-128], segments).runs[0].error == ErrorCode.NO_END
