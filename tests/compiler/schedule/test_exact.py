"""Optimal orders: against every order, against another engine, and against published figures."""

import random
import time

import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule import Operator, Problem, schedule
from tenon.compiler.schedule.rewrite import fold_concats, rewrite
from tenon.compiler.schedule.search import Search
from tenon.compiler.schedule.segments import forced_states
from tenon.compiler.schedule.states import states_of
from tenon.compiler.schedule.valley import lowest_between
from tenon.flows.zoo.irregular import swiftnet
from tenon.flows.zoo.irregular.randwire import unequal
from tests.compiler.schedule.constraint_oracle import least_peak_by_constraints
from tests.compiler.schedule.random_problems import least_peak, random_problem

UNBOUNDED = 1 << 60


def timed(problem):
    """The schedule, and the seconds of a core that it took: whatever else the machine does."""
    began = time.process_time()
    return schedule(problem), time.process_time() - began


def variants(problem):
    """A problem as it is, with concatenations folded, and rewritten."""
    return problem, fold_concats(problem), rewrite(problem, depthwise=False), fold_concats(rewrite(problem))


@pytest.mark.parametrize("in_place", [False, True])
def test_equals_brute_force(in_place):
    seen = rewritten = saved = 0
    for seed in range(150):
        first, *others = variants(random_problem(random.Random(seed), 9, in_place=in_place))
        for problem in (first, *(p for p in others if len(p.operators) <= 9)):
            expected = least_peak(problem)
            found = schedule(problem)
            assert (problem.peak(found.order), found.peak, found.proved, found.lower_bound) == (expected, expected, True, expected), seed
            seen += 1
            rewritten += problem is not first and any(op.accumulates for op in problem.operators)
            saved += expected < problem.peak(problem.file_order)
    assert seen > 300 and rewritten > 40 and saved > 50


def test_each_part_is_the_best_by_itself():
    """Between the states that every order visits; what only has to stay below the largest part may be worse."""
    problem = fold_concats(rewrite(swiftnet.problem("whole"), depthwise=False))
    states = states_of(problem)
    forced = forced_states(states)
    peaks = []
    for each in (True, False):
        order = [problem.position(name) for name in schedule(problem, each=each).order]
        peaks.append([states.peak([v for v in order if z & ~a & 1 << v], a) for a, z in zip(forced, forced[1:])])
    for a, z, peak in zip(forced, forced[1:], peaks[0]):
        search = Search(states, a, z, 0, UNBOUNDED)
        search.run(1_000_000)
        assert peak == states.peak(search.order, a)
    assert peaks[0] != peaks[1] and max(peaks[0]) == max(peaks[1])


def test_both_directions_are_exact_without_any_help():
    """No order to begin with, and no bound: the search alone, forwards and backwards."""
    for seed in range(300):
        problem = random_problem(random.Random(1000 + seed), 8, in_place=bool(seed % 2))
        expected = least_peak(problem)
        for states in (states_of(problem), states_of(problem).reversed()):
            search = Search(states, 0, states.all, 0, UNBOUNDED)
            while not search.over:
                search.run(10)
            assert states.peak(search.order) == expected, seed
            assert search.level <= expected


def test_forwards_and_backwards_agree_where_brute_force_ends():
    for seed in range(20):
        states = states_of(unequal(32, seed))
        peaks = []
        for way in (states, states.reversed()):
            search = Search(way, 0, way.all, 0, UNBOUNDED)
            search.run(1_000_000)
            peaks.append(way.peak(search.order))
        assert peaks[0] == peaks[1]


def test_a_reversed_order_has_the_same_peak():
    for seed in range(50):
        problem = rewrite(random_problem(random.Random(seed), 9, in_place=True))
        states = states_of(problem)
        order = [problem.position(name) for name in problem.file_order]
        backwards = states.reversed()
        assert problem.peak(problem.file_order) == states.peak(order) == max(backwards.peak(order[::-1]), states.start_bytes)
        state = 0
        for v in order:
            state |= 1 << v
            assert states.bytes_in(state) == backwards.bytes_in(states.all & ~state)


def test_lowest_state_between_two():
    """Against all states between them; the largest of the lowest is meant."""
    moved = 0
    for seed in range(200):
        rng = random.Random(seed)
        problem = fold_concats(rewrite(random_problem(rng, 7)))
        if len(problem.operators) > 9:
            continue
        for states in (states_of(problem), states_of(problem).reversed()):
            ideals = {0}
            for _ in range(states.count):
                ideals |= {s | 1 << v for s in ideals for v in range(states.count) if states.ready(s) >> v & 1}
            low, high = 0, states.all
            for _ in range(4):
                between = [s for s in ideals if not low & ~s and not s & ~high]
                least = min(map(states.bytes_in, between))
                expected = max((s for s in between if states.bytes_in(s) == least), key=int.bit_count)
                assert lowest_between(states, low, high) == expected
                moved += expected not in (low, high)
                low = rng.choice(between)
                high = rng.choice([s for s in between if not low & ~s])
    assert moved > 30


# Peak of live bytes of each cell: operators, file order, optimum.
SWIFTNET = {
    ("a", "explicit"): (28, 351_232, 275_968), ("a", "folded"): (20, 275_968, 200_704), ("a", "convolutions"): (33, 275_968, 188_160),
    ("b", "explicit"): (23, 147_392, 122_304), ("b", "folded"): (18, 119_168, 81_536), ("b", "convolutions"): (28, 119_168, 56_448),
    ("c", "explicit"): (24, 53_900, 53_900), ("c", "folded"): (21, 35_084, 32_536), ("c", "convolutions"): (29, 35_084, 19_404),
    ("b", "all"): (30, 119_168, 53_312), ("c", "all"): (31, 35_084, 16_856),
    ("whole", "explicit"): (84, 351_232, 275_968), ("whole", "folded"): (68, 275_968, 200_704),
}
FORMS = {
    "explicit": lambda p: p, "folded": fold_concats, "convolutions": lambda p: fold_concats(rewrite(p, depthwise=False)),
    "all": lambda p: fold_concats(rewrite(p)),
}


@pytest.mark.parametrize(("cell", "form"), SWIFTNET)
def test_swiftnet(cell, form):
    problem = FORMS[form](swiftnet.problem(cell))
    found, seconds = timed(problem)
    assert (len(problem.operators), problem.peak(problem.file_order), found.peak) == SWIFTNET[cell, form]
    assert found.proved and problem.peak(found.order) == found.peak and seconds < 2


@pytest.mark.parametrize("seed", range(10))
def test_random_wirings_equal_constraint_programming(seed):
    problem = unequal(32, seed)
    found, seconds = timed(problem)
    assert found.proved and seconds < 1
    assert found.peak == least_peak_by_constraints(problem)


def test_random_problems_equal_constraint_programming():
    """Accumulators, early outputs, several results; the oracle has its own idea of what is live."""
    for seed in range(12):
        problem = fold_concats(rewrite(random_problem(random.Random(seed), 14)))
        assert schedule(problem).peak == least_peak_by_constraints(problem), seed


@pytest.mark.parametrize("seed", (1, 4, 9))
def test_larger_random_wirings_are_proved(seed):
    found, seconds = timed(unequal(64, seed))
    assert found.proved and seconds < 20


def test_the_network_falls_apart_at_cell_boundaries():
    states = states_of(swiftnet.problem("whole"))
    assert len(forced_states(states)) > 15


def test_out_of_time_is_not_proved_and_has_a_bound():
    problem = unequal(64, 9)
    optimum = schedule(problem)
    found = schedule(problem, most_states=1000, seconds=1)
    assert optimum.proved and not found.proved
    assert 0 < found.lower_bound <= optimum.peak <= found.peak == problem.peak(found.order)
    assert found.peak < problem.peak(problem.file_order)


def test_a_budget_is_enough_or_refused_with_the_minimum():
    problem = fold_concats(swiftnet.problem("b"))
    assert schedule(problem, budget=100_000).peak <= 100_000
    assert schedule(problem, budget=81_536).peak == 81_536
    with pytest.raises(CompileError, match="^swiftnet_b: no order within a budget of 81535 bytes; 81536 is the least$"):
        schedule(problem, budget=81_535)


def test_one_operator():
    problem = Problem("one", (Operator("only", ("x",), ("y",)),), {"x": 2, "y": 3}, ("x",))
    found = schedule(problem)
    assert (found.order, found.peak, found.proved) == (("only",), 5, True)
