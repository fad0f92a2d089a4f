"""Random programs whose engines work side by side, at the same banks as often as at others, and wait for nothing else; and graphs on
which nobody waits for a bank."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from tenon.acg.graph import Graph
from tenon.compiler.instruction import Instruction

__all__ = ["random_banks", "without_precedence"]


def random_banks(graph: Graph, rng: random.Random, count: int = 40) -> Iterator[Instruction]:
    """Products, windows and conversions. What they compute is of no use to anybody: they read what others write."""
    act, acc = (graph.memory(name).words // graph.memory(name).banks for name in ("ACT", "ACC"))
    window = graph.mnemonics[-1].name == "WINDOW"
    for _ in range(count):
        activations, sums, others = (size * rng.randrange(2) for size in (act, acc, acc))
        rows = rng.randint(4, 80)
        name, fields = rng.choice([
            ("MATRIX", dict(wgt_signed="on", n_m0=rows, a=activations, a_m0=1, n_k0=rng.randint(1, 4), w_k0=4, d=sums, d_m0=1,
                            init=rng.choice(["zero", "keep"]))),
            ("VECTOR", dict(n_o0=rows, x=sums, x_o0=1, d_o0=1, s_value=0.01, lo=-128, hi=127)),
            *([("WINDOW", dict(kind="weights_i8", n_o0=rng.randint(1, 8), n_x=rng.randint(1, 8), n_k1=3, n_t=3, a=activations, a_x=1,
                               a_o0=10, a_k1=10, a_t=1, w_k1=3, w_t=1, d=others, d_o0=8, d_x=1))] if window else [])])
        mnemonic = graph.mnemonic(name)
        yield Instruction(mnemonic, mnemonic.complete(fields))


def without_precedence(graph: Graph) -> Graph:
    """``graph`` as if every port of a memory were free, always."""
    return replace(graph, notes={name: note for name, note in graph.notes.items() if name != "precedence"})
