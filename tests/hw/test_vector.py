# amaranth: UnusedElaboratable=no
"""VECTOR in simulation: writes, their order, pulses and cycles of random instructions against the model."""

import random
import struct
from collections import Counter

import numpy as np
import pytest

from tenon.acg import interpret
from tenon.hw import emit
from tenon.hw.encoding import ENCODING
from tenon.hw.nest import AddressNest
from tenon.hw.params import SystolicParams
from tenon.hw.tokens import SIGNAL_AHEAD
from tenon.hw.vector import VectorEngine
from tenon.tb import engine_feed
from tenon.tb.models import vector as model
from tenon.tb.vector_fields import random_chain

CONSTANTS = {"s_value", "f1_p", "f1_q", "f2_p", "f2_q", "mm_p"}
NUMBERS = ("par", "reciprocal", "root")
FORMS = {"x_sel": ("acc", "i8", "u8", *NUMBERS), "y_sel": ("none", "i8", "u8"), "s_sel": ("scalar", "lanes"), "rc": (0, 1),
         "reduce": ("add", "max"), "swap": (0, 1), "f1": ("bypass", "affine", "add", "mul"),
         "f2": ("bypass", "affine", "cross", "mul"), "mm": ("bypass", "max", "min", "maxy"), "table": (0, 1),
         "d_sel": ("vec", "act", "par")}
SIZES = {"rows": 4, "bus_bits": 32, "activation_bytes": 4096, "weight_bytes": 4096, "accumulator_bytes": 8192,
         "vector_bytes": 4096, "parameter_bytes": 2048, "tables": 2}
SHAPES = {"4 lanes of 4": (4, 4), "1 lane of 4": (4, 1), "8 lanes of 8": (8, 8), "2 lanes of 8": (8, 2)}


class Memories:
    """Random contents of everything that VECTOR reads."""

    def __init__(self, params):
        self.params = params
        rng = np.random.default_rng(params.cols * params.lanes)
        shape = params.acc_words, params.cols
        self.acc = (rng.integers(-2**31, 2**31, shape) >> rng.integers(1, 31, shape)).astype(np.int32)
        self.vec = rng.integers(0, 256, (params.vec_words, params.cols), dtype=np.uint8)
        self.par = rng.uniform(-2.0**-6, 2.0**-6, (params.par_words, params.cols)).astype(np.float32).view(np.uint32)
        self.tab = rng.bytes(256 * params.tables)

    def effect_of(self, f):
        return model.apply(f, acc=self.acc, vec=self.vec, par=self.par, tab=self.tab)


class Bench(Memories):
    """The engine built for one shape, and its memories."""

    def __init__(self, cols, lanes):
        super().__init__(SystolicParams(**SIZES, cols=cols, lanes=lanes))
        p, line = self.params, self.params.line_bytes
        self.mnemonic = VectorEngine.mnemonic(p)
        sizes = {"COLS": cols, "LINE": line, "ACC_WORDS": p.acc_words, "VEC_WORDS": p.vec_words,
                 "PAR_WORDS": p.par_words, "ACT_WORDS": p.activation_bytes // cols,
                 "TAB_LINES": 256 * p.tables // line, "AHEAD": SIGNAL_AHEAD}
        text = emit.verilog(VectorEngine(p), "tenon_vector_engine")
        self.built = engine_feed.build(text, "vector", sizes, ["tenon_lane"])

    def run(self, folder, instructions, **options):
        """Executes the instructions; returns the log."""
        memories = {"acc": self.acc.view(np.uint8), "vec": self.vec, "par": self.par.view(np.uint8),
                    "tab": np.frombuffer(self.tab, np.uint8).reshape(-1, self.params.line_bytes)}
        limit = 2000 + 20 * sum(cost(f, self.params) + 40 for f in instructions)
        return engine_feed.simulate(self.built, folder, memories, [ENCODING.encode(self.mnemonic, with_floats(f)) for f in instructions],
                                    limit=limit, writes="VCP", **{"deny": 0, **options})

    def words_of(self, writes, size):
        """(cycle of the last part, port, address, elements of ``size`` bytes) of every word."""
        lanes, subs = self.params.lanes, self.params.cols // self.params.lanes
        got = []
        for number, (cycle, port, address, mask, data) in enumerate(writes):
            sub = number % subs
            assert mask == (1 << size * lanes) - 1 << sub * size * lanes, f"write {number}: mask {mask:#x}"
            part = np.frombuffer(data.to_bytes(size * self.params.cols, "little"), f"<u{size}")[sub * lanes:(sub + 1) * lanes].tolist()
            if sub == 0:
                got.append((cycle, port, address, part))
            else:
                assert got[-1][1:3] == (port, address), f"write {number}: {port} {address:#x}"
                got[-1] = cycle, port, address, got[-1][3] + part
        return got

    def check(self, log, instructions):
        """Every write in order, and pulses no sooner than they may be."""
        last_writes = {}
        for numbers in (False, True):  # numbers overtake the bytes of instructions before
            expected = [((port, address, result), k) for k, f in enumerate(instructions) if (f["d_sel"] == "par") == numbers
                        for port in ({"vec": "V", "act": "C", "par": "P"}[f["d_sel"]],) for address, result in self.effect_of(f)]
            got = self.words_of([write for write in log.writes if (write[1] == "P") == numbers], 4 if numbers else 1)
            for number, ((cycle, *one), (other, k)) in enumerate(zip(got, expected)):
                assert tuple(one) == other, f"write {number}, of instruction {k}: {one}, not {other}; {instructions[k]}"
                last_writes[k] = cycle
            assert len(got) == len(expected)

        taken, released, done = (log.pulses[event] for event in "TRD")
        assert len(taken) == len(released) == len(done) == len(instructions)
        assert all(t < r <= d for t, r, d in zip(taken, released, done))
        subs, read = self.params.cols // self.params.lanes, Counter()
        for number, f in enumerate(instructions):
            assert last_writes[number] <= done[number] + SIGNAL_AHEAD, "done too long before the last write"
            if f["table"]:  # two cycles from the table to the write
                assert released[number] >= last_writes[number] - 2 - SIGNAL_AHEAD, "released too long before the last look-up"
            for event, reads in (("S", f["s_sel"] == "lanes"), ("M", f["x_sel"] in NUMBERS)):
                if reads:
                    read[event] += subs * sum(1 for _ in model.words(f))
                    last_read = log.reads[event][read[event] - 1][0]
                    assert last_read <= released[number] + SIGNAL_AHEAD, f"released too long before the last read {event}"
        assert all(len(log.reads[event]) == count for event, count in read.items())


def with_floats(f):
    """The fields as the mnemonic takes them: binary32 constants as numbers."""
    return {name: struct.unpack("<f", struct.pack("<I", value))[0] if name in CONSTANTS else value
            for name, value in f.items()}


def cost(f, params):
    """Cycles from an instruction's first issue to its last, if every read is granted at once."""
    word = params.cols // params.lanes
    rounds, outputs = f["n_q1"] * f["n_q0"], f["n_o2"] * f["n_o1"] * f["n_o0"]
    return outputs * ((rounds - 1) * max(f["n_i"] * word, VectorEngine.round_cycles) + f["n_i"] * word)


def placed(rng, f, stream, levels, low, high):
    """Random base and strides of a stream that stays inside ``low..high - 1``."""
    strides = {level: rng.choice((0, 1, -1, rng.randint(-9, 9), rng.randint(-60, 60))) for level in levels}
    while True:
        reach = {level: stride * (f[f"n_{level}"] - 1) for level, stride in strides.items()}
        least, most = (sum(pick(0, r) for r in reach.values()) for pick in (min, max))
        if most - least < high - low:
            break
        strides[max(reach, key=lambda level: abs(reach[level]))] = 0
    return {stream: rng.randint(low - least, high - 1 - most)} | {f"{stream}_{l}": s for l, s in strides.items()}


def random_instruction(rng, params, **given):
    """A legal instruction. Upper halves of vector buffer and parameters are for results, so nothing is read that is written."""
    f = random_chain(rng, tables=params.tables)
    f |= {f"n_{level}": rng.choice((1, 1, 1, 2, 3)) for level in ("o2", "o1", "o0", "q1", "q0")}
    f["n_i"] = rng.choice((1, 2, 3, 5, 7, 16, rng.randint(1, 16)))
    if rng.random() < 0.3:
        f |= {"n_q1": 1, "n_q0": 1, "n_i": rng.randint(1, 40)}
    f |= given
    half = params.vec_words // 2
    outputs = ("o2", "o1", "o0", "i")
    read = params.par_words // 2
    f |= placed(rng, f, "x", model.LEVELS, 0, {"acc": params.acc_words, "i8": half, "u8": half}.get(f["x_sel"], read))
    f |= placed(rng, f, "y", outputs, 0, half)
    f |= placed(rng, f, "s", model.LEVELS, 0, read)
    room = {"vec": (half, params.vec_words), "act": (0, params.activation_bytes // params.cols), "par": (read, params.par_words)}
    f |= placed(rng, f, "d", outputs, *room[f["d_sel"]])
    return f


@pytest.mark.parametrize("cols", [4, 8])
def test_model_means_what_the_covenant_says(cols):
    """The effect, interpreted, writes the bytes that the model of the engine writes."""
    memories = Memories(SystolicParams(**SIZES, cols=cols, lanes=cols))
    mnemonic = VectorEngine.mnemonic(memories.params)
    rng = random.Random(cols)
    for _ in range(150):
        f = random_instruction(rng, memories.params, d_sel="act", n_o2=1)  # an effect's words have no order:
        f |= {"d": 3, "d_i": 1, "d_o0": f["n_i"], "d_o1": f["n_i"] * f["n_o0"], "d_o2": 0}  # write none twice
        act = np.zeros(memories.params.activation_bytes, np.uint8)
        images = {"ACC": memories.acc, "VEC": memories.vec, "PAR": memories.par, "ACT": act,
                  "TAB": np.frombuffer(memories.tab, np.uint8)}
        images = {name: np.ascontiguousarray(image).view(np.uint8).reshape(-1) for name, image in images.items()}
        interpret.run(mnemonic.effect, mnemonic.complete(with_floats(f)), images)
        got = images["ACT"].reshape(-1, cols)
        for address, expected in memories.effect_of(f):
            assert got[address].tolist() == expected, f"word {address} of {f}"


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def bench(request):
    return Bench(*request.param)


@pytest.mark.rtl
@pytest.mark.parametrize(("deny", "gap"), [(0, 0), (30, 30), (70, 0)])
def test_random_instructions(bench, tmp_path, deny, gap):
    rng = random.Random(deny)
    instructions = [random_instruction(rng, bench.params) for _ in range(60)]
    log = bench.run(tmp_path, instructions, deny=deny, gap=gap)
    bench.check(log, instructions)
    assert bool(log.pulses["N"]) == bool(deny)
    reached = Counter((name, f[name]) for f in instructions for name in FORMS)
    assert all(reached[name, form] >= 3 for name, forms in FORMS.items() for form in forms), reached
    rounds = [f["n_q1"] * f["n_q0"] for f in instructions]
    assert sum(n > 1 for n in rounds) > 10 and sum(n == 1 for n in rounds) > 10
    assert any(f["n_i"] == 16 for f, n in zip(instructions, rounds) if n > 1), "the ring was never full"


@pytest.mark.rtl
def test_cycles(bench, tmp_path):
    """Instructions follow each other without a pause; a third waits for the first to leave."""
    rng = random.Random(5)
    instructions = [random_instruction(rng, bench.params) for _ in range(80)]
    log = bench.run(tmp_path, instructions)
    taken, done = log.pulses["T"], log.pulses["D"]
    waited = 0
    for number, f in enumerate(instructions):
        last_issue = taken[number] + cost(f, bench.params)
        covenant = bench.mnemonic.complete(with_floats(f))
        assert done[number] == last_issue + bench.mnemonic.timing.cycles("visible", covenant)
        assert cost(f, bench.params) <= bench.mnemonic.timing.cycles("occupancy", covenant)
        if number + 1 < len(instructions):
            bank_free = done[number - 1] + SIGNAL_AHEAD + 1 if number else 0
            waited += bank_free > last_issue
            assert taken[number + 1] == max(last_issue, bank_free), f"instruction {number + 1}"
    assert 0 < waited < len(instructions) - 20, "both kinds of succession must occur"


@pytest.mark.rtl
@pytest.mark.parametrize("table", [0, 1])
def test_released_operands_may_be_overwritten(bench, tmp_path, table):
    """From the last release on, everything an instruction reads holds something else."""
    rng = random.Random(6 + table)
    for number in range(4):
        instructions = [random_instruction(rng, bench.params, table=t, s_sel="lanes") for t in (1 - table, table)]
        folder = tmp_path / str(number)
        folder.mkdir()
        bench.check(bench.run(folder, instructions, deny=20 * number, poison=True), instructions)


@pytest.mark.rtl
def test_results_without_table_release_early(bench, tmp_path):
    rng = random.Random(8)
    f = random_instruction(rng, bench.params, table=0)
    log = bench.run(tmp_path, [f])
    last_read = log.pulses["T"][0] + cost(f, bench.params)
    assert log.pulses["R"][0] - last_read < 6


@pytest.mark.parametrize(("moved_by", "message"), [
    (("inner",), r"^operand 'x' must be moved by the outermost level, 'outer'$"),
    (("outer", "other"), r"^operand 'x' must be moved by levels of the nest, not 'other'$"),
])
def test_nest_rejects(moved_by, message):
    with pytest.raises(ValueError, match=message):
        AddressNest(("outer", "inner"), {"x": moved_by}, widths={"x": 16})
