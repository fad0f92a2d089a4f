"""Identities keep what a network computes, and what they promise of its memory."""

import random

import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule import Operator, Problem, schedule
from tenon.compiler.schedule.rewrite import fold_concats, rewrite
from tests.compiler.schedule.random_problems import random_problem

SIZES = {"x": 8, "a": 4, "b": 12, "c": 2, "ab": 16, "abc": 18, "y": 32, "z": 6}
MAKE = tuple(Operator(f"make_{t}", ("x",), (t,)) for t in "abc")
AB = Operator("cat", ("a", "b"), ("ab",), "concat")
ABC = Operator("more", ("ab", "c"), ("abc",), "concat")
CONV = Operator("conv", ("abc",), ("z",), "conv")


def problem(*operators, outputs=None):
    return Problem("p", (*MAKE, *operators), SIZES, ("x",), outputs)


def last(p, count):
    return [(op.name, op.inputs, op.outputs, op.accumulates) for op in p.operators[-count:]]


def test_chains_fold():
    folded = fold_concats(problem(AB, ABC, CONV))
    assert len(folded.operators) == 4 and last(folded, 1) == [("conv", ("a", "b", "c"), ("z",), False)]


def test_what_is_kept_is_not_folded():
    folded = fold_concats(problem(AB, ABC, CONV), keep={"more"})
    assert last(folded, 2) == [("more", ("a", "b", "c"), ("abc",), False), ("conv", ("abc",), ("z",), False)]


def test_a_concatenated_output_becomes_its_pieces():
    assert fold_concats(problem(AB, Operator("use", ("c",), ("z",)), outputs=("ab", "z"))).outputs == ("a", "b", "z")


def test_an_input_does_not_become_an_output():
    p = Problem("p", (Operator("make_a", ("x",), ("a",)), Operator("cat", ("x", "a"), ("ab",), "concat")), SIZES, ("x",))
    assert fold_concats(p) == p


def test_taking_over_a_concatenation_folds_away():
    folded = fold_concats(problem(AB, ABC, Operator("act", ("abc",), ("z",), in_place=("abc",))))
    assert folded.operators[-1].in_place == ()


@pytest.mark.parametrize("first", [lambda p: p, fold_concats], ids=["explicit", "folded"])
def test_convolutions_accumulate_part_by_part(first):
    parts = [(f"conv/{t}", (t,), ("z",), True) for t in "abc"]
    assert last(fold_concats(rewrite(first(problem(AB, ABC, CONV)))), 3) == parts


@pytest.mark.parametrize("first", [lambda p: p, fold_concats], ids=["explicit", "folded"])
def test_depthwise_convolutions_fall_apart_and_so_do_convolutions_of_them(first):
    depthwise = Operator("dw", ("ab",), ("y",), "depthwise")
    rewritten = fold_concats(rewrite(first(problem(AB, depthwise, Operator("conv", ("y", "c"), ("z",), "conv")))))
    assert last(rewritten, 5) == [
        ("dw/a", ("a",), ("y/a",), False), ("dw/b", ("b",), ("y/b",), False),
        ("conv/y/a", ("y/a",), ("z",), True), ("conv/y/b", ("y/b",), ("z",), True), ("conv/c", ("c",), ("z",), True)]
    assert (rewritten.sizes["y/a"], rewritten.sizes["y/b"]) == (8, 24)


def test_explicit_concatenations_stay_where_something_else_reads_them():
    rewritten = rewrite(problem(AB, ABC, CONV, Operator("other", ("ab",), ("y",))))
    assert [op.name for op in rewritten.operators[3:]] == ["cat", "conv/a", "conv/b", "conv/c", "other"]


def test_depthwise_alone_is_left_if_asked():
    p = problem(AB, Operator("dw", ("ab",), ("y",), "depthwise"), Operator("use", ("c",), ("z",)))
    assert rewrite(p, depthwise=False) == p


def test_a_tensor_concatenated_with_itself_is_one_part():
    twice = Operator("cat", ("a", "a", "b"), ("abc",), "concat")
    operators = (*MAKE, twice, Operator("dw", ("abc",), ("y",), "depthwise"), Operator("conv", ("y",), ("z",), "conv"),
                 Operator("use", ("c",), ("u",)))
    p = Problem("p", operators, SIZES | {"u": 1, "abc": 20, "y": 40}, ("x",))
    rewritten = fold_concats(rewrite(p))
    assert (rewritten.sizes["y/a"], rewritten.sizes["y/b"]) == (16, 24)
    assert [op.name for op in rewritten.operators[3:]] == ["dw/a", "dw/b", "conv/y/a", "conv/y/b", "use"]


def test_what_cannot_be_divided_is_refused():
    p = problem(AB, Operator("dw", ("ab",), ("z",), "depthwise"), Operator("use", ("c",), ("y",)))
    with pytest.raises(CompileError, match="^p: the 6 bytes of 'z' cannot be divided like the inputs of the depthwise convolution 'dw'$"):
        rewrite(p)


def test_rewriting_never_raises_the_optimum():
    lower = 0
    for seed in range(150):
        p = fold_concats(random_problem(random.Random(seed), 8))
        before, after = schedule(p), schedule(fold_concats(rewrite(p)))
        assert after.proved and after.peak <= before.peak
        lower += after.peak < before.peak
    assert lower > 10
