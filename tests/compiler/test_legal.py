"""What instructions must not do, found when their addresses are known."""

from dataclasses import replace

import pytest

from tenon.acg.encoding import Header
from tenon.compiler.code import Code
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.legal import first_problem
from tenon.compiler.lower.constants import Constants
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.machine import Machine
from tenon.tb.kernel_networks import COVENANTS

GRAPH = COVENANTS["tiny"]


def loaded(graph, near):
    out = Emitter(Machine(graph), "l", Constants())
    out.load([Walk(4, 1, 1)], ("ARENA", 0), ("ACT", near), ("a word",))
    return out.code()


def test_the_last_word_and_one_further():
    size = GRAPH.memory_bytes["ACT"]
    assert len(loaded(GRAPH, size - 4)) == 1
    with pytest.raises(CompileError, match=f"^layer l: LOAD would touch bytes {size}..{size + 3} of ACT, which has {size}$"):
        loaded(GRAPH, size)


def test_rules_on_addresses():
    load = GRAPH.mnemonic("LOAD")
    graph = replace(GRAPH, mnemonics=tuple(replace(m, rules=(*m.rules, "d <= 64")) if m is load else m for m in GRAPH.mnemonics))
    assert len(loaded(graph, 64)) == 1
    with pytest.raises(CompileError, match="^layer l: LOAD would break its rule d <= 64$"):
        loaded(graph, 68)


@pytest.mark.parametrize(("d", "problem"), [(0, True), (1, True), (3, True), (4, False)])
def test_what_is_written_is_not_read(d, problem):
    vector = GRAPH.mnemonic("VECTOR")
    fields = vector.complete({"x_sel": "u8", "d_sel": "vec", "n_i": 4, "x_i": 1, "d_i": 1, "d": d, "hi": 255})
    code = Code.of([Instruction(vector, fields, Header(), "a pass")])
    assert first_problem(GRAPH, code) == ("VECTOR would read bytes that it writes" if problem else None)
