"""Arenas: plans are valid whatever is placed, and as small as known optima allow."""

import random

import pytest

from tenon.compiler.schedule import Operator, Problem, schedule
from tenon.compiler.schedule.arena import arena, place
from tenon.compiler.schedule.blocks import Block, greedy_by_size, least_bytes, top_of
from tenon.compiler.schedule.joints import joined
from tenon.compiler.schedule.rewrite import fold_concats, rewrite
from tenon.compiler.schedule.tightest import tightest
from tenon.flows.bench.rectangles import cut_rectangle
from tenon.flows.zoo.irregular import swiftnet
from tests.compiler.schedule.random_problems import random_problem


def collisions(blocks, offsets):
    """Pairs of pieces that have a byte in common in some step, by comparing all."""
    pieces = [(b, a, z, o, o + size) for b, (block, o) in enumerate(zip(blocks, offsets)) for a, z, size in block.pieces]
    return [(p[0], q[0]) for i, p in enumerate(pieces) for q in pieces[:i]
            if p[0] != q[0] and p[1] < q[2] and q[1] < p[2] and p[3] < q[4] and q[3] < p[4]]


def shared(problem, order, plan):
    """Pairs of tensors live at once that share bytes although neither gives them to the other."""
    spans = problem.lifetimes(order)
    takes = {(t, op.outputs[0]) for op in problem.operators for t in op.in_place}
    found = []
    for s in spans:
        for t in spans:
            meet = s < t and spans[s][0] <= spans[t][1] and spans[t][0] <= spans[s][1]
            if meet and plan.offsets[s] < plan.offsets[t] + problem.sizes[t] and plan.offsets[t] < plan.offsets[s] + problem.sizes[s]:
                last = spans[s][1] == spans[t][0] and (s, t) in takes or spans[t][1] == spans[s][0] and (t, s) in takes
                if not (last and plan.offsets[s] == plan.offsets[t]):
                    found.append((s, t))
    return found


@pytest.mark.parametrize("seed", (0, 1, 13, 29))
def test_a_cut_rectangle_is_put_together_again(seed):
    blocks = cut_rectangle(150 + 37 * seed % 301, seed)
    assert least_bytes(blocks) == 1 << 20
    offsets = place(blocks, seconds=10)
    assert not collisions(blocks, offsets) and min(offsets) == 0
    assert top_of(blocks, offsets) <= 1.05 * 2**20 < top_of(blocks, greedy_by_size(blocks))


@pytest.mark.parametrize("alignment", (1, 16))
def test_plans_are_valid(alignment):
    reached = taken = 0
    for seed in range(60):
        problem = random_problem(random.Random(seed), 12, in_place=True)
        problem = problem if seed % 2 else fold_concats(rewrite(problem))
        order = schedule(problem).order
        plan = arena(problem, order, alignment=alignment, seconds=1)
        plain = arena(problem, order, alignment=alignment, plain=True)
        assert set(plan.offsets) == {*problem.inputs, *problem.writers}
        assert not shared(problem, order, plan) and not shared(problem, order, plain), seed
        assert all(offset >= 0 and offset % alignment == 0 for offset in plan.offsets.values())
        assert plan.bytes == max(offset + problem.sizes[t] for t, offset in plan.offsets.items()) <= plain.bytes
        assert problem.peak(order) <= plan.bytes
        if alignment == 1:
            assert plan.least == problem.peak(order) <= plan.bytes
            reached += plan.bytes == plan.least
        taken += len(set(plan.offsets.values())) < len(plan.offsets)
    assert taken > 30 and (alignment > 1 or reached > 50)


def test_few_blocks_are_placed_as_small_as_can_be():
    """Against every order of first fits by offset: some smallest plan is one of them."""
    better = 0
    for seed in range(60):
        rng = random.Random(seed)
        blocks = []
        for _ in range(6):
            first = rng.randrange(6)
            blocks.append(Block(((first, rng.randint(first + 1, 7), rng.randint(1, 9)),)))
        known = greedy_by_size(blocks)
        found = tightest(blocks, known, least_bytes(blocks))
        assert not collisions(blocks, found)
        assert top_of(blocks, found) == smallest(blocks)
        better += top_of(blocks, found) < top_of(blocks, known)
    assert better > 5


def smallest(blocks):
    """The smallest arena: each block in turn at any byte, up to the size that is tried."""

    def fits(top, offsets):
        if len(offsets) == len(blocks):
            return True
        block = blocks[len(offsets)]
        return any(not collisions(blocks, [*offsets, o]) and fits(top, [*offsets, o]) for o in range(top - block.size + 1))

    return next(top for top in range(least_bytes(blocks), 100) if fits(top, []))


def test_joined_blocks_are_apart_as_before():
    blocks = cut_rectangle(60, 4)
    for stage in joined(blocks):
        offsets = stage.offsets(greedy_by_size(stage.blocks))
        assert len(stage.blocks) < len(blocks) and not collisions(blocks, offsets)


def test_swiftnet_reaches_its_peak():
    for cell in "abc":
        for problem in (fold_concats(swiftnet.problem(cell)), fold_concats(rewrite(swiftnet.problem(cell)))):
            order = schedule(problem).order
            plan = arena(problem, order, alignment=4)
            assert plan.bytes == plan.least == problem.peak(order) and not shared(problem, order, plan)


def test_a_chain_in_place_is_one_block():
    steps = [Operator(f"n{i}", (f"t{i}",), (f"t{i + 1}",), in_place=(f"t{i}",)) for i in range(3)]
    problem = Problem("chain", tuple(steps), {"t0": 9, "t1": 9, "t2": 5, "t3": 4}, ("t0",))
    plan = arena(problem, problem.file_order)
    assert (plan.bytes, plan.offsets) == (9, dict.fromkeys(("t0", "t1", "t2", "t3"), 0))
