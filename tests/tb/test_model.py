"""The cycle model's rules, one at a time, on programs short enough to count by hand."""

import numpy as np
import pytest

from tenon.acg.encoding import Header
from tenon.hw.bus_guard import BusGuard
from tenon.hw.covenant import covenant
from tenon.hw.load import LoadEngine
from tenon.hw.params import SystolicParams
from tenon.tb.functional import Instruction
from tenon.tb.model import Deadlock, simulate_program
from tenon.tb.random_banks import without_precedence
from tenon.tb.transfers import transfer_of

GRAPH = covenant(SystolicParams(accumulator_banks=2))
LOAD, MATRIX, VECTOR, STORE = (GRAPH.mnemonic(name) for name in ("LOAD", "MATRIX", "VECTOR", "STORE"))
ON_CHIP = frozenset(GRAPH.memory_bytes)
WHOLE = {"y_lim": 1, "x_lim": 1}
BANK = GRAPH.memory("ACC").words // GRAPH.memory("ACC").banks  # the first word of the accumulators' second bank
GUARD = BusGuard.request_cycles + BusGuard.answer_cycles  # of a round trip to the bus


def instruction(mnemonic, header=None, **fields):
    return Instruction(mnemonic, mnemonic.complete(fields), header or Header())


def moved(mnemonic, **fields):
    return transfer_of(instruction(mnemonic, **fields), ON_CHIP, 16, 64)


def test_runs_are_cut_into_bursts():
    assert moved(LOAD, n=16 * 100, **WHOLE).beats == (64, 36)
    assert moved(LOAD, n=16 * 100, s=16 * 60, **WHOLE).beats == (4, 64, 32)
    assert moved(LOAD, n=16, s=8, **WHOLE).beats == (2,), "an unaligned run touches one more word"
    assert moved(STORE, n=32, n_l0=3, d_l0=64).beats == (2, 2, 2)
    assert moved(STORE, n=32).write and not moved(LOAD, n=32, **WHOLE).write
    assert moved(MATRIX) is None


def test_unaligned_targets_take_longer_on_chip():
    transfer = moved(LOAD, n=32, d=8, **WHOLE)
    assert (transfer.beats, transfer.cycles) == ((2,), (3,))


def test_guards_leave_out_what_is_not_fetched():
    # five rows of 64 bytes, two of them outside; x runs along the row and begins 16 bytes before the tensor
    fields = {"n": 64, "n_l0": 5, "s": -16 - 64, "s_l0": 64, "d_l0": 64, "y": -1, "y_l0": 1, "y_lim": 3, "x": -16,
              "x_run": "on", "x_lim": 40}
    transfer = moved(LOAD, **fields)
    assert transfer.beats == (0, 3, 3, 3, 0), "40 bytes at an aligned address"
    assert transfer.cycles == (4, 4, 4, 4, 4)


def test_a_transfer_costs_its_latency_once():
    short = simulate_program([instruction(LOAD, n=1024, **WHOLE)], GRAPH)
    long = simulate_program([instruction(LOAD, n=1024, n_l0=8, s_l0=1024, d_l0=1024, **WHOLE)], GRAPH)
    assert long.cycles - short.cycles == 7 * 64
    # two latencies: the fetch's and the transfer's
    pipelines = 2 * GUARD + LoadEngine.request_cycles + LoadEngine.finish_cycles
    assert 80 + 64 + pipelines < short.cycles < 80 + 64 + pipelines + 40
    assert long.counters["READ_BEATS"] == 2 * 8 + 512, "END is fetched too"


def test_single_beats_are_bound_by_outstanding_requests():
    many = simulate_program([instruction(LOAD, n=16, n_l0=1000, s_l0=64, d_l0=16, **WHOLE)], GRAPH)
    few = simulate_program([instruction(LOAD, n=16, n_l0=100, s_l0=64, d_l0=16, **WHOLE)], GRAPH)
    assert 900 * 40 / 32 <= many.cycles - few.cycles <= 900 * (43 + GUARD) / 32


def test_engines_run_side_by_side_unless_tokens_say_otherwise():
    fields = {"n_m0": 500, "n_k0": 8, "d_m0": 1}
    matrix = instruction(MATRIX, **fields)
    vector = {"n_o0": 4000, "hi": 1, "x": BANK}
    alone = simulate_program([matrix], GRAPH).cycles
    beside = simulate_program([matrix, instruction(VECTOR, **vector)], GRAPH).cycles
    behind = simulate_program([instruction(MATRIX, Header(done=1), **fields),
                               instruction(VECTOR, Header(waits=1), **vector)], GRAPH)
    assert 4000 < alone < 4200 and alone <= beside < alone + 100
    assert behind.cycles > alone + 4000
    assert behind.counters["VECTOR_TOKEN"] > 3900
    assert behind.counters["MATRIX_BUSY"] == MATRIX.timing.cycles("fill", {}) + 4000 + MATRIX.timing.cycles("visible", {})


@pytest.mark.parametrize("others", [1, 2])
def test_who_comes_second_at_a_bank_waits(others):
    """VECTOR reads sums while MATRIX adds to others in the same bank: in the first of 4 steps it goes on, then it waits for the rest.
    Whether it begins before MATRIX does, or while MATRIX issues."""
    matrix = instruction(MATRIX, n_m0=400, n_k0=4, d_m0=1)
    vectors = [instruction(VECTOR, n_o0=600, hi=1, x=at) for at in (0, BANK)]
    program = [matrix] * others
    spans = {}
    for vector in vectors:
        for name, order in (("before", [vector, *program]), ("behind", [*program, vector])):
            found = simulate_program(order, GRAPH)
            spans[vector is vectors[0], name] = next(s for s in found.timeline.spans if s.engine == "VECTOR")
            assert found.counters["MATRIX_BUSY"] == others * 1600 + MATRIX.timing.cycles("fill", {}) + MATRIX.timing.cycles("visible", {})
    for name in ("before", "behind"):
        same, other = spans[True, name], spans[False, name]
        assert same.begun == other.begun and other.done - other.begun == 600 + VECTOR.timing.cycles("visible", {})
        assert same.done - other.done == 1200, "three steps of 400 come first"


def test_who_comes_second_goes_on_where_it_can():
    """Tiles of 4 rows leave MATRIX's ports 12 of 16 cycles, of which VECTOR needs all; and in any order of listing."""
    matrix, vector = instruction(MATRIX, n_m0=4, n_n=100, d_m0=1, init="keep"), instruction(VECTOR, n_o0=600, hi=1)
    (alone,), beside = (simulate_program(order, GRAPH).timeline.spans for order in ([vector], [matrix, vector]))
    took = {s.engine: s.done - s.begun for s in beside}
    assert took["VECTOR"] - (alone.done - alone.begun) == pytest.approx(600 // 3, abs=8)
    free = simulate_program([matrix, vector], without_precedence(GRAPH)).timeline.spans
    assert next(s.done - s.begun for s in free if s.engine == "VECTOR") == alone.done - alone.begun


def test_short_tiles_cost_their_rows():
    result = simulate_program([instruction(MATRIX, n_k0=100, n_m0=3)], GRAPH)
    assert 1600 < result.cycles < 1800


def test_marks_are_stamped_when_results_are_visible():
    program = [instruction(MATRIX, Header(mark=5), n_m0=100), instruction(MATRIX, Header(mark=6), n_m0=200)]
    (first, at), (second, later) = simulate_program(program, GRAPH).marks
    assert (first, second) == (5, 6)
    assert later - at == 200


def test_deadlock_names_the_token():
    program = [instruction(VECTOR, Header(waits=0b100010), hi=1)]
    with pytest.raises(Deadlock) as caught:
        simulate_program(program, GRAPH)
    assert str(caught.value).splitlines() == [
        "the program stops after 1 of 1 dispatched instructions", "  LOAD: has nothing to do",
        "  MATRIX: has nothing to do", "  VECTOR: 1 wait, the first for tokens 1, 5", "  STORE: has nothing to do",
        "  WINDOW: has nothing to do"]


def test_long_programs_pass_through_the_queues():
    rng = np.random.default_rng(1)
    program = []
    for _ in range(200):
        n = int(rng.integers(1, 60))
        program.append(instruction(LOAD, Header(done=1), n=16 * n, **WHOLE))
        program.append(instruction(MATRIX, Header(waits=1, done=2), n_m0=n))
        program.append(instruction(VECTOR, Header(waits=2, done=4), n_o0=n, hi=1))
        program.append(instruction(STORE, Header(waits=4), n=16 * n))
    result = simulate_program(program, GRAPH)
    assert result.counters["READ_BEATS"] == 801 * 8 + result.counters["WRITE_BEATS"]
    # each instruction is checked alone; nothing else bounds this program
    assert 800 * 16 < result.cycles < 800 * 40
