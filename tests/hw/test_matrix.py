# amaranth: UnusedElaboratable=no
"""MATRIX in simulation: sums, order, pulses and cycles of random instructions against the covenant's effect."""

import random
from collections import Counter

import numpy as np
import pytest

from tenon.acg.interpret import run as interpret
from tenon.hw import emit
from tenon.hw.array import SystolicArray
from tenon.hw.buffers import memory_bytes
from tenon.hw.encoding import ENCODING
from tenon.hw.matrix import MatrixEngine
from tenon.hw.params import SystolicParams
from tenon.hw.tokens import SIGNAL_AHEAD
from tenon.tb import engine_feed

pytestmark = pytest.mark.rtl

SHAPES = [(4, 4, 0), (4, 4, 1), (4, 16, 0), (16, 8, 0), (16, 8, 1)]  # rows, cols, accumulator_register
KS, MS = ("k3", "k2", "k1", "k0"), ("m2", "m1", "m0")


class Bench:
    """The engine built for one shape, and memories with random contents."""

    def __init__(self, rows, cols, register):
        self.params = SystolicParams(rows=rows, cols=cols, lanes=cols, bus_bits=32, activation_bytes=8192,
                                     weight_bytes=8192, accumulator_bytes=16384, parameter_bytes=4096,
                                     accumulator_register=register)
        p = self.params
        self.mnemonic = MatrixEngine.mnemonic(p)
        sizes = {"ROWS": rows, "COLS": cols, "ACT_WORDS": p.act_words, "WGT_WORDS": p.wgt_words,
                 "PAR_WORDS": p.par_words, "ACC_WORDS": p.acc_words}
        text = emit.verilog(MatrixEngine(p), "tenon_matrix_engine")
        self.built = engine_feed.build(text, "matrix", sizes, ["tenon_systolic_row"])
        rng = np.random.default_rng(rows * cols)
        self.memories = {name: rng.integers(0, 256, memory_bytes(p)[name], dtype=np.uint8) for name in ("ACT", "WGT", "PAR", "ACC")}
        # Zero-points of signed weights, of unsigned ones, and biases.
        parameters = self.memories["PAR"].view(np.int32)
        quarter = parameters.size // 4
        parameters[:quarter] = rng.integers(-128, 128, quarter)
        parameters[quarter:2 * quarter] = rng.integers(0, 256, quarter)

    def run(self, folder, instructions, **options):
        """Executes the instructions; returns the log."""
        words = {"ACT": self.params.rows, "WGT": self.params.cols, "PAR": 4 * self.params.cols, "ACC": 4 * self.params.cols}
        memories = {name: self.memories[name].reshape(-1, word) for name, word in words.items()}
        limit = 1000 + 3 * sum(self.mnemonic.timing.cycles("occupancy", f) + 20 for f in instructions)
        return engine_feed.simulate(self.built, folder, memories, [ENCODING.encode(self.mnemonic, f) for f in instructions],
                                    limit=limit, writes="C", **options)

    def check(self, log, instructions):
        """The sums after each instruction, and pulses no sooner than they may be."""
        p = self.params
        memories = {name: held.copy() for name, held in self.memories.items()}
        got = memories["ACC"].reshape(-1, 4 * p.cols).copy()
        ends = {name: 0 for name in "AWZBC"}
        events = {"C": [(cycle, *values) for cycle, _, *values in log.writes], **log.reads}
        for number, f in enumerate(instructions):
            interpret(self.mnemonic.effect, f, memories)
            steps, vectors = steps_and_vectors(f)
            firsts = f["n_n"] * vectors  # words that start a sum
            for name, count in {"A": steps * vectors, "W": steps * fill(p, f), "Z": steps * p.rows * f["zero_per_column"],
                                "B": firsts * (f["init"] == BIAS), "C": steps * vectors}.items():
                first, ends[name] = ends[name], ends[name] + count
                for cycle, address, *data in events.get(name, [])[first:ends[name]]:
                    if name == "C":
                        got[address] = np.frombuffer(data[0].to_bytes(4 * p.cols, "little"), np.uint8)
                    if name == "C":  # a word is written the cycle after its address
                        assert cycle + 1 <= log.pulses["D"][number] + SIGNAL_AHEAD, f"instruction {number}: done too early"
                    else:
                        assert cycle < log.pulses["R"][number], f"instruction {number}: released before its last {name}"
            expected = memories["ACC"].reshape(got.shape)
            wrong = np.flatnonzero((expected != got).any(axis=1))
            assert not wrong.size, f"instruction {number}: words {wrong} are wrong: {f}"
        assert all(ends[name] == len(events.get(name, ())) for name in ends), "more accesses than there should be"
        taken, released, done = (log.pulses[event] for event in "TRD")
        assert len(taken) == len(released) == len(done) == len(instructions)
        assert all(r <= d for r, d in zip(released, done))


BIAS = 2


def steps_and_vectors(f):
    steps = f["n_n"] * f["n_k0"] * f["n_k1"] * f["n_k2"] * f["n_k3"]
    return steps, f["n_m0"] * f["n_m1"] * f["n_m2"]


def fill(params, f):
    """Words of weights that a tile takes: its rows, or its columns."""
    return params.cols if f.get("transposed") else params.rows


def placed(rng, f, stream, levels, words, *, reach=0):
    """Random base and strides of a stream that stays inside ``words``, with ``reach`` words after each address."""
    strides = {level: rng.choice((0, 1, -1, rng.randint(-9, 9), rng.randint(-60, 60))) for level in levels}
    while True:
        spans = {level: stride * (f[f"n_{level}"] - 1) for level, stride in strides.items()}
        low, high = (sum(pick(0, r) for r in spans.values()) for pick in (min, max))
        if high - low + reach < words:
            break
        strides[max(spans, key=lambda level: abs(spans[level]))] = 0
    return {stream: rng.randint(-low, words - 1 - high - reach)} | {f"{stream}_{l}": s for l, s in strides.items()}


def distinct(rng, f, words):
    """Destinations that differ: the levels in any order and direction, each spaced by all that is within it."""
    strides, span, start = {}, 1, 0
    for level in rng.sample(("n", *MS), 4):
        strides[level] = rng.choice((1, -1)) * span
        start += max(0, -strides[level]) * (f[f"n_{level}"] - 1)
        span *= f[f"n_{level}"]
    assert span <= words
    return {"d": start + rng.randint(0, words - span)} | {f"d_{l}": s for l, s in strides.items()}


def random_instruction(rng, params, **given):
    """A legal instruction of up to some hundred cycles."""
    f = {f"n_{level}": rng.choice((1, 1, 1, 2, 3)) for level in ("n", *KS)}
    f |= {f"n_{level}": rng.choice((1, 1, 2, 3, 5)) for level in MS}
    f["n_m0"] = rng.choice((f["n_m0"], rng.randint(1, 2 * params.rows)))
    f |= {name: rng.randint(0, 1) for name in ("act_signed", "wgt_signed", "zero_per_column")}
    f |= {"init": rng.randint(0, 2)} | given
    if SystolicArray.transposable(params.rows, params.cols):
        kind = "zero_per_column" if given.get("zero_per_column") else rng.choice(("rows", "zero_per_column", "transposed"))
        f |= {name: int(name == kind) for name in ("zero_per_column", "transposed")}
    f |= {zero: rng.randint(-128, 127) if f[signed] else rng.randint(0, 255)
          for zero, signed in (("za", "act_signed"), ("zw", "wgt_signed"))}
    while f["n_n"] * f["n_m0"] * f["n_m1"] * f["n_m2"] > min(params.acc_words, 96):
        f[rng.choice(("n_n", "n_m0", "n_m1", "n_m2"))] = 1
    f |= placed(rng, f, "a", (*KS, *MS), params.act_words)
    f |= placed(rng, f, "w", ("n", *KS), params.wgt_words, reach=fill(params, f) - 1)
    f |= placed(rng, f, "b", ("n",), params.par_words) | placed(rng, f, "z", ("n",), params.par_words // 4)
    f["z"] += 0 if f["wgt_signed"] else params.par_words // 4
    return f | distinct(rng, f, min(params.acc_words, 128))


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: f"{s[0]}x{s[1]}" + "-register" * s[2])
def bench(request):
    return Bench(*request.param)


@pytest.mark.parametrize("gap", [0, 90])
def test_random_instructions(bench, tmp_path, gap):
    rng = random.Random(gap)
    instructions = [random_instruction(rng, bench.params) for _ in range(150)]
    log = bench.run(tmp_path, instructions, gap=gap)
    bench.check(log, instructions)
    choices = [field.name for field in bench.mnemonic.fields if field.kind == "enum"]
    reached = Counter((name, f[name]) for f in instructions for name in choices)
    assert len(reached) == sum(len(bench.mnemonic.field(name).choices) for name in choices) and min(reached.values()) > 20
    assert ("transposed" in choices) == SystolicArray.transposable(bench.params.rows, bench.params.cols)
    counts = [steps_and_vectors(f) for f in instructions]
    assert {1} <= {m for _, m in counts} and any(m < bench.params.rows for _, m in counts)
    assert {steps == 1 for steps, _ in counts} == {True, False}


def test_steps_follow_without_a_bubble(bench, tmp_path):
    """Each tile takes as many cycles as it has vectors, or words of the next one's weights if more, within instructions and
    across them."""
    rng = random.Random(3)
    rows = bench.params.rows
    instructions = [random_instruction(rng, bench.params, init=rng.choice((0, BIAS))) for _ in range(60)]
    for f in instructions[20:40]:  # single tiles of just as many vectors as rows: nothing hides the change
        f |= {f"n_{level}": 1 for level in ("n", *KS, "m1", "m2")} | {"n_m0": rows}
        f |= {"d": 0, "d_m0": 1, "a": 0, "a_m0": 1}
    log = bench.run(tmp_path, instructions)
    bench.check(log, instructions)
    reads = iter([cycle for cycle, _ in log.reads["A"]])
    start = log.reads["A"][0][0]
    for number, f in enumerate(instructions):
        steps, vectors = steps_and_vectors(f)
        for step in range(steps):
            assert [next(reads) for _ in range(vectors)] == list(range(start, start + vectors)), f"instruction {number}"
            last = start + vectors - 1
            following = f if step + 1 < steps else instructions[min(number + 1, len(instructions) - 1)]
            start += max(vectors, fill(bench.params, following))
        assert log.pulses["D"][number] - last == MatrixEngine.latency(bench.params) - 1, "reads follow their issue by a cycle"


def test_released_operands_may_be_overwritten(bench, tmp_path):
    """From the last release on, everything an instruction reads holds something else."""
    rng = random.Random(6)
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        instructions = [random_instruction(rng, bench.params, init=BIAS, zero_per_column=1) for _ in range(2)]
        bench.check(bench.run(folder, instructions, poison=True), instructions)


def test_sums_of_the_former_instruction(bench, tmp_path):
    """Vectors that add to what came out just before, whatever the distance: the last sums first."""
    rng = random.Random(7)
    rows = bench.params.rows
    instructions = []
    for _ in range(60):
        f = random_instruction(rng, bench.params, init=1, **{f"n_{level}": 1 for level in ("n", *KS, "m1", "m2")}, n_m0=rows)
        instructions.append(f | {"d": 0, "d_m0": 1} if rng.random() < 0.5 else f | {"d": rows - 1, "d_m0": -1})
    log = bench.run(tmp_path, instructions)
    bench.check(log, instructions)
    assert log.pulses["N"], "no vector ever waited"
