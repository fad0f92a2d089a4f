# amaranth: UnusedElaboratable=no
"""WINDOW in simulation: sums, largest elements, order, pulses and cycles of random instructions against the covenant's effect."""

import random
from collections import Counter

import numpy as np
import pytest

from tenon.acg.interpret import run as interpret
from tenon.acg.random_fields import random_fields
from tenon.hw import emit
from tenon.hw.buffers import memory_bytes
from tenon.hw.encoding import ENCODING
from tenon.hw.params import SystolicParams
from tenon.hw.window import WindowEngine
from tenon.tb import engine_feed

pytestmark = pytest.mark.rtl

SHAPES = [(4, 4, 3), (4, 16, 2), (16, 8, 4), (4, 8, 1)]
WEIGHTS_I8, MAX, SUM = 1, 2, 3
KEEP, BIAS = 1, 2


class Bench:
    """The engine built for one shape, and memories with random contents."""

    def __init__(self, rows, cols, taps):
        self.params = SystolicParams(rows=rows, cols=cols, lanes=cols, bus_bits=32, activation_bytes=8192, weight_bytes=8192,
                                     accumulator_bytes=16384, parameter_bytes=4096, window_taps=taps)
        p = self.params
        self.mnemonic, self.lanes = WindowEngine.mnemonic(p), p.window_lanes
        self.words = {"ACT": self.lanes, "WGT": self.lanes, "PAR": 4 * self.lanes, "ACC": 4 * self.lanes}
        self.sizes = {name: memory_bytes(p)[name] for name in self.words}
        parameters = {"LANES": self.lanes, **{f"{name}_WORDS": self.sizes[name] // word for name, word in self.words.items()}}
        text = emit.verilog(WindowEngine(p), "tenon_window_engine")
        self.built = engine_feed.build(text, "window", parameters, ["tenon_window_lane"])
        rng = np.random.default_rng(rows * cols)
        self.memories = {name: rng.integers(0, 256, size, dtype=np.uint8) for name, size in self.sizes.items()}
        # Zero-points of signed weights, of unsigned ones, and biases.
        constants = self.memories["PAR"].view(np.int32)
        quarter = constants.size // 4
        constants[:quarter] = rng.integers(-128, 128, quarter)
        constants[quarter:2 * quarter] = rng.integers(0, 256, quarter)

    def instruction(self, rng, *, work=400, **given):
        """A random legal instruction; zero-points of columns are ones that weights can have."""
        wanted = {"kind": rng.randrange(4), "init": rng.randrange(3)} | given
        while True:
            f = random_fields(self.mnemonic, self.sizes, rng, work=work)
            if any(f[name] != value for name, value in wanted.items()):
                continue
            quarter = self.sizes["PAR"] // self.words["PAR"] // 4
            f |= {"z": rng.randrange(quarter) + (0 if f["kind"] == WEIGHTS_I8 else quarter), "z_n": 0}
            for hop in range(1, self.params.window_taps):  # windows that share columns
                if rng.random() < 0.3:
                    f["a_x"] = hop * f["a_t"]
            if not self.mnemonic.violations(f, self.sizes):
                return f

    def run(self, folder, instructions, **options):
        """Executes the instructions; returns the log."""
        memories = {name: self.memories[name].reshape(-1, word) for name, word in self.words.items()}
        limit = 1000 + 6 * sum(self.mnemonic.timing.cycles("occupancy", f) + 20 for f in instructions)
        return engine_feed.simulate(self.built, folder, memories, [ENCODING.encode(self.mnemonic, f) for f in instructions],
                                    limit=limit, writes="C", **{"deny": 0, **options})

    def check(self, log, instructions):
        """Memory after each instruction, and pulses no sooner than they may be."""
        memories = {name: held.copy() for name, held in self.memories.items()}
        got = memories["ACC"].reshape(-1, self.words["ACC"]).copy()
        ends = 0
        for number, f in enumerate(instructions):
            interpret(self.mnemonic.effect, f, memories)
            first, ends = ends, ends + f["n_n"] * f["n_k0"] * f["n_o1"] * f["n_o0"] * f["n_x"]
            for cycle, _, address, word in log.writes[first:ends]:
                got[address] = np.frombuffer(word.to_bytes(self.words["ACC"], "little"), np.uint8)
                assert cycle < log.pulses["D"][number], f"instruction {number}: done before its last write"
            expected = memories["ACC"].reshape(got.shape)
            wrong = np.flatnonzero((expected != got).any(axis=1))
            assert not wrong.size, f"instruction {number}: words {wrong} are wrong: {f}"
        assert ends == len(log.writes), "more writes than there should be"
        taken, released, done = (log.pulses[event] for event in "TRD")
        assert len(taken) == len(released) == len(done) == len(instructions)
        assert all(r <= d for r, d in zip(released, done))


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: "x".join(map(str, s)))
def bench(request):
    return Bench(*request.param)


@pytest.mark.parametrize(("gap", "deny"), [(0, 0), (80, 0), (0, 40)], ids=["full speed", "gaps", "refusals"])
def test_random_instructions(bench, tmp_path, gap, deny):
    rng = random.Random(gap + deny)
    instructions = [bench.instruction(rng) for _ in range(150)]
    log = bench.run(tmp_path, instructions, gap=gap, deny=deny)
    bench.check(log, instructions)
    reached = Counter((name, f[name]) for f in instructions for name in ("kind", "init", "act_signed", "zero_per_column"))
    assert len(reached) == 11 and min(reached.values()) > 15
    assert bool(log.pulses["N"]) == bool(deny)


def words_read(f, taps):
    """Words of activations that a pass reads: columns that windows share once."""
    hop = next((hop for hop in range(1, taps) if f["a_x"] == hop * f["a_t"]), f["n_t"])
    return f["n_o1"] * f["n_o0"] * (f["n_t"] + (f["n_x"] - 1) * min(hop, f["n_t"])) * f["n_k1"]


def weight_cycles(f):
    return f["n_k1"] * f["n_t"] + f["zero_per_column"] if f["kind"] <= WEIGHTS_I8 else 1


def test_cycles_are_as_promised(bench, tmp_path):
    """Instructions back to back, each of them longer than the next one's weights take; each shared column is read once.

    Not with windows of one word, which ask for a bias in every cycle: zero-points come by the same port.
    """
    rng = random.Random(3)
    taps, cost = bench.params.window_taps, bench.mnemonic.timing.cycles
    instructions = []
    while len(instructions) < 60:
        f = bench.instruction(rng)
        if words_read(f, taps) < 2 * f["n_o1"] * f["n_o0"] * f["n_x"] and f["init"] == BIAS:
            continue
        shares = words_read(f, taps) < f["n_o1"] * f["n_o0"] * f["n_x"] * f["n_t"] * f["n_k1"]
        if words_read(f, taps) > 25 > weight_cycles(f) + WindowEngine.refill and (shares or taps == 1 or len(instructions) < 30):
            instructions.append(f)
    rng.shuffle(instructions)
    log = bench.run(tmp_path, instructions)
    bench.check(log, instructions)
    assert not log.pulses["N"]
    issues, former = iter(cycle - 1 for cycle, _ in log.reads["A"]), None  # a word is read the cycle after it is issued
    for number, f in enumerate(instructions):
        count = words_read(f, taps)
        mine = [next(issues) for _ in range(f["n_n"] * f["n_k0"] * count)]
        if former is not None:
            assert mine[-1] - former == cost("occupancy", f), f"instruction {number}: {f}"
        former = mine[-1]
        pulses = {event: log.pulses[event][number] for event in "TRD"}
        assert mine[0] - pulses["T"] == (WindowEngine.drain if f["init"] == KEEP and number else 0)
        assert (pulses["R"] - former, pulses["D"] - former) == (cost("reads", f), cost("visible", f))
    assert next(issues, None) is None


def test_passes_wait_for_their_weights(bench, tmp_path):
    """From idle the first weights come before the first word; short passes take as long as their weights do."""
    rng = random.Random(4)
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        while True:
            f = bench.instruction(rng, kind=number % 2, init=number % 3, work=30)
            if f["n_n"] * f["n_k0"] > 3 and f["n_k1"] > 1:
                break
        log = bench.run(folder, [f])
        bench.check(log, [f])
        fill = weight_cycles(f)
        taken = log.pulses["T"][0] - 1  # the pulse is a register
        brought = sorted(c for name in "WP" for c, _ in log.reads[name] if c <= taken)
        assert fill == bench.mnemonic.timing.cycles("fill", f)
        assert brought == list(range(taken - fill + 1, taken + 1))
        passes, count = f["n_n"] * f["n_k0"], words_read(f, bench.params.window_taps)
        period = max(count, fill + WindowEngine.refill)  # kinds with weights
        took = log.reads["A"][-1][0] - log.reads["A"][0][0] + 1
        if f["n_k0"] == 1 and f["init"] != KEEP:
            assert took == (passes - 1) * period + count


def test_released_operands_may_be_overwritten(bench, tmp_path):
    """From the last release on, everything an instruction reads holds something else."""
    rng = random.Random(6)
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        instructions = [bench.instruction(rng, init=BIAS, work=60) for _ in range(2)]
        bench.check(bench.run(folder, instructions, poison=True, deny=20 * number), instructions)


def test_sums_of_the_former_instruction(bench, tmp_path):
    """Windows that continue what was written just before, whatever the distance."""
    rng = random.Random(7)
    instructions = []
    while len(instructions) < 60:
        f = bench.instruction(rng, init=KEEP, work=12)
        instructions.append(f | {"d": rng.choice((f["d"], instructions[-1]["d"] if instructions else f["d"]))})
        if bench.mnemonic.violations(instructions[-1], bench.sizes):
            instructions.pop()
    for deny in (0, 30):
        folder = tmp_path / str(deny)
        folder.mkdir()
        bench.check(bench.run(folder, instructions, deny=deny), instructions)
