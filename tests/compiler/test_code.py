"""Instructions by forms and parameters: what is computed of them equals what is computed of each by itself."""

from dataclasses import replace

import pytest

from tenon.compiler.code import Code
from tenon.compiler.errors import CompileError
from tenon.compiler.hazards import footprints
from tenon.compiler.instruction import Instruction
from tenon.compiler.lower.constants import Constants, digest_of
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.machine import Machine
from tenon.compiler.network import Network
from tenon.compiler.timing import available, time_program
from tenon.compiler.timing.footprints import footprint_rows, memories_of
from tenon.compiler.tokens import place_tokens, token_masks
from tenon.tb.kernel_networks import COVENANTS, small_network

GRAPH = COVENANTS["tiny"]


@pytest.fixture(scope="module")
def code():
    network = Network(small_network(), GRAPH)
    return Code.chained([network.lower(n, network.searched(n, 1), Constants()) for n in range(len(network.layers))])


def test_instructions_are_made_when_asked_for(code):
    assert isinstance(code[0], Instruction) and len(list(code)) == len(code) == len(code.notes)
    assert list(code[3:9:2]) == [code[3], code[5], code[7]] == list(code.take([3, 5, 7]))
    assert {i.mnemonic.unit for i in code} == {code.unit(k) for k in range(len(code))}
    assert code[-1].header.mark and not code[0].header.mark and all(i.note for i in code)
    for i in code:
        assert i.fields == i.mnemonic.complete(i.fields)


def test_each_by_itself_is_the_same(code):
    """Forms with parameters against instructions that are forms of their own."""
    plain = Code.of(list(code))
    assert list(plain) == list(code) and Code.of(code) is code
    assert (footprint_rows(GRAPH, plain) == footprint_rows(GRAPH, code)).all()
    numbers = memories_of(GRAPH)
    expected = [[k, numbers[f.memory], f.low, f.high, f.write] for k, i in enumerate(code) for f in footprints(i)]
    assert footprint_rows(GRAPH, code).tolist() == expected


@pytest.mark.skipif(not available(), reason="needs g++")
def test_it_takes_the_same_time(code):
    placed = place_tokens(GRAPH, list(code))
    mine, theirs = time_program(GRAPH, code, masks=token_masks(GRAPH, code)), time_program(GRAPH, placed)
    assert mine.ended and mine.cycles == theirs.cycles and (mine.moments == theirs.moments).all()


def test_parameters_that_no_field_can_have():
    """The first that is wrong says so."""
    out = Emitter(Machine(GRAPH), "l", Constants())
    out.load([Walk(4, 1, 1)], ("ARENA", 0), ("ACT", 0), ("%s", "fits"))
    out.load([Walk(4, 1, 1)], ("ARENA", 1 << 40), ("ACT", 0), ("%s", "does not"))
    with pytest.raises(CompileError, match=r"^layer l: LOAD\.s must be in .*, not 1099511627776$"):
        out.code()


def test_costs_that_depend_on_addresses_are_refused():
    store = GRAPH.mnemonic("STORE")
    other = replace(store, timing=replace(store.timing, visible="2 + s % 2"))
    graph = replace(GRAPH, mnemonics=tuple(other if m is store else m for m in GRAPH.mnemonics))
    out = Emitter(Machine(graph), "l", Constants())
    with pytest.raises(CompileError, match="^what STORE costs must not depend on s, which differs from tile to tile$"):
        out.store([Walk(4, 1, 1)], ("VEC", 0), ("ARENA", 0), ("result",))


def test_more_loops_than_levels_are_several_instructions():
    out = Emitter(Machine(GRAPH), "l", Constants())
    walks = [Walk(2, 1 << (2 * k + 3), 1 << k) for k in reversed(range(7))]
    out.load(walks, ("ARENA", 5), ("ACT", 0), ("far apart",))
    found = {(i.fields["s"], i.fields["d"]) for i in out.code()}
    assert found == {(5 + a * 2048 + b * 8192 + c * 32768, a * 16 + b * 32 + c * 64) for a in (0, 1) for b in (0, 1) for c in (0, 1)}
    assert len(out) == len(found)


def test_constants_are_laid_out_when_they_are_wanted():
    constants, made = Constants(8), []

    def make():
        made.append(1)
        return b"abc"

    assert [constants.place(digest_of(b"abc"), make), constants.put(b"12345678"), constants.put(b"abc")] == [0, 8, 0]
    constants.align(32)
    assert constants.put(b"z") == 32 and not made
    assert constants.bytes() == b"abc".ljust(8, b"\0") + b"12345678".ljust(24, b"\0") + b"z".ljust(8, b"\0") and made == [1]
