"""Joining layers: constants come early, unless something in between uses their place."""

from tenon.compiler.instruction import Instruction
from tenon.compiler.join import joined
from tenon.tb.kernel_networks import COVENANTS

GRAPH = COVENANTS["tiny"]


def make(name, note, **fields):
    mnemonic = GRAPH.mnemonic(name)
    return Instruction(mnemonic, mnemonic.complete(fields), note=note)


def load(note, mem, at, seg="constants"):
    return make("LOAD", note, mem=mem, d=at, seg=seg, n=4, y_lim=1, x_lim=1)


BEFORE = [load("x", "act", 0, "inputs"), make("MATRIX", "sum"), make("VECTOR", "finish"), make("STORE", "store", seg="arena")]


def notes(code):
    return [i.note for i in code]


def test_constants_move_up_to_the_last_transfer():
    after = [load("bias", "par", 64), load("weights", "wgt", 512), load("image", "act", 64, "arena"), make("MATRIX", "next")]
    code, moved = joined(BEFORE, after)
    assert moved == 2
    assert notes(code) == ["x", "bias", "weights", "sum", "finish", "store", "image", "next"]


def test_they_stop_below_what_reads_their_place():
    code, moved = joined(BEFORE, [load("weights", "wgt", 0), make("MATRIX", "next")])
    assert moved == 1
    assert notes(code) == ["x", "sum", "weights", "finish", "store", "next"]


def test_without_constants_nothing_moves():
    after = [load("image", "act", 0, "arena"), make("MATRIX", "next")]
    assert joined(BEFORE, after) == ([*BEFORE, *after], 0)
    assert joined([], [load("bias", "par", 0)]) == ([load("bias", "par", 0)], 0)
