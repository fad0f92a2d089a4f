"""Joining layers: constants come early, unless something in between uses their place."""

from tenon.compiler.code import Code
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


def join(before, after):
    """Notes of both joined, and how many instructions of ``after`` went into ``before``."""
    code = Code.of([*before, *after])
    both, (end, _) = joined(GRAPH, [code[:len(before)], code[len(before):]])
    return [i.note for i in both], end + 1 - len(before)


def test_constants_move_up_to_the_last_transfer():
    after = [load("bias", "par", 64), load("weights", "wgt", 512), load("image", "act", 64, "arena"), make("MATRIX", "next")]
    assert join(BEFORE, after) == (["x", "bias", "weights", "sum", "finish", "store", "image", "next"], 2)


def test_they_stop_below_what_reads_their_place():
    after = [load("weights", "wgt", 0), make("MATRIX", "next")]
    assert join(BEFORE, after) == (["x", "sum", "weights", "finish", "store", "next"], 1)


def test_without_constants_nothing_moves():
    after = [load("image", "act", 0, "arena"), make("MATRIX", "next")]
    assert join(BEFORE, after) == (["x", "sum", "finish", "store", "image", "next"], 0)
    assert join([], [load("bias", "par", 0)]) == (["bias"], 0)
