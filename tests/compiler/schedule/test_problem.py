"""What is live, and what is refused."""

import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule import Moment, Operator, Problem

SIZES = {"x": 8, "a": 4, "b": 6, "y": 2}
CHAIN = (Operator("first", ("x",), ("a",)), Operator("second", ("a",), ("b",)), Operator("third", ("b",), ("y",)))


def problem(*operators, sizes=None, inputs=("x",), outputs=None):
    return Problem("p", operators, sizes or SIZES, inputs, outputs)


def test_a_tensor_lives_from_its_writer_to_its_last_reader():
    p = problem(*CHAIN)
    assert p.outputs == ("y",)
    assert p.moments(p.file_order) == [Moment(12, 4), Moment(10, 6), Moment(8, 2)]
    assert p.peak(p.file_order) == 12
    assert p.lifetimes(p.file_order) == {"x": (0, 0), "a": (0, 1), "b": (1, 2), "y": (2, 2)}


def test_outputs_stay_and_inputs_are_there_from_the_start():
    p = problem(*CHAIN, Operator("late", ("x",), ("z",)), sizes=SIZES | {"z": 1}, outputs=("a", "y", "z"))
    assert p.moments(p.file_order) == [Moment(12, 12), Moment(18, 18), Moment(20, 14), Moment(15, 7)]
    assert p.lifetimes(p.file_order) == {"x": (0, 3), "a": (0, 3), "b": (1, 2), "y": (2, 3), "z": (3, 3)}


def test_results_that_nobody_reads_die_with_their_operator():
    p = problem(Operator("split", ("x",), ("a", "b")), Operator("use", ("a",), ("y",)), outputs=("y",))
    assert p.moments(p.file_order) == [Moment(18, 4), Moment(6, 2)]


def test_an_accumulator_lives_from_its_first_part_and_is_read_after_all():
    parts = [Operator(f"part_{t}", (t,), ("y",), accumulates=True) for t in ("a", "b")]
    p = problem(Operator("make_a", ("x",), ("a",)), Operator("make_b", ("x",), ("b",)), *parts, Operator("use", ("y",), ("z",)),
                sizes=SIZES | {"z": 1})
    assert p.moments(("make_a", "part_a", "make_b", "part_b", "use")) == [
        Moment(12, 12), Moment(14, 10), Moment(16, 8), Moment(8, 2), Moment(3, 1)]
    with pytest.raises(ValueError, match="^use reads y before it is written$"):
        p.peak(("make_a", "part_a", "use", "make_b", "part_b"))


def test_in_place_takes_over_what_dies_and_is_not_smaller():
    def peak(size, *more):
        sizes = SIZES | {"y": size}
        p = problem(CHAIN[0], Operator("act", ("a",), ("y",), in_place=("a",)), *more, sizes=sizes)
        return p.moments(p.file_order)[1].during

    assert peak(4) == peak(3) == 4  # the input is 4 bytes large
    assert peak(5) == 9
    assert peak(4, Operator("other", ("a",), ("b",))) == 8


def test_file_order_is_repaired_where_it_must_be():
    assert problem(CHAIN[1], CHAIN[0], CHAIN[2]).file_order == ("first", "second", "third")


@pytest.mark.parametrize(("operators", "kwargs", "message"), [
    (CHAIN[:1] * 2, {}, "p: two operators are called 'first'; names must differ"),
    (CHAIN, {"sizes": SIZES | {"b": 0}}, "p: tensor 'b' of operator 'second' must have at least 1 byte, not 0"),
    (CHAIN, {"sizes": {"x": 8}}, "p: operator 'first' uses 'a', whose size is not given"),
    (CHAIN, {"outputs": ("b",)}, "p: nothing reads what operator 'third' writes; make it an output or drop the operator"),
    (CHAIN, {"outputs": ("y", "w")}, "p: nothing writes the output 'w'"),
    (CHAIN[1:], {}, "p: nothing reads the input 'x'; leave it out"),
    (CHAIN[1:], {"inputs": ()}, "p: operator 'second' reads 'a', which nothing writes"),
    (CHAIN, {"inputs": ("x", "a")}, "p: 'a' is an input of the graph, but operator 'first' writes it"),
    ((*CHAIN, Operator("again", ("x",), ("b",))), {}, "p: operator 'second' and operator 'again' both write 'b'"),
    ((Operator("act", ("x",), ("y",), in_place=("a",)),), {},
     "p: operator 'act' can only take over its own inputs, for one output that it alone writes"),
    ((Operator("u", ("x", "b"), ("a",)), Operator("v", ("a",), ("b", "y"))), {},
     "p: the operators wait for each other in a cycle: v -> u -> v"),
    ((Operator("u", ("x", "a"), ("a", "y")),), {}, "p: the operators wait for each other in a cycle: u -> u"),
])
def test_refuses(operators, kwargs, message):
    with pytest.raises(CompileError) as error:
        problem(*operators, **kwargs)
    assert str(error.value) == message


def test_an_order_names_every_operator_once():
    with pytest.raises(ValueError, match="^an order of p must name each of its 3 operators once$"):
        problem(*CHAIN).peak(("first", "second"))
