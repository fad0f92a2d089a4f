"""Edits of a covenant's graph: other memories, choices, loops or expressions in its instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tenon.acg.expr import Choose, Expr, Load, Lookup, Loop, Nest, Operand, Reduce, remade
from tenon.acg.graph import Graph, Memory
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.validate import ways_of

__all__ = ["changed", "exchanged", "rebuilt", "renamed", "trimmed"]


def changed(graph: Graph, mnemonic: Mnemonic, **changes) -> Graph:
    """With one instruction changed."""
    return replace(graph, mnemonics=tuple(replace(m, **changes) if m.name == mnemonic.name else m for m in graph.mnemonics))


def rebuilt(nest: Nest, *, memory: Callable[[str], str] = lambda name: name,
            choose: Callable[[Choose, Sequence[Expr]], Expr] | None = None,
            loops: Callable[[Sequence[Loop]], Sequence[Loop]] = lambda loops: loops) -> Nest:
    """``nest`` with other memories, choices or loops."""
    known: dict[int, Expr] = {}

    def operand(o: Operand) -> Operand:
        return replace(o, name=memory(o.name))

    def build(e: Expr) -> Expr:
        if isinstance(e, Load):
            return Load(operand(e.operand), e.index)
        if isinstance(e, Lookup):
            return Lookup(operand(e.table), e.base, visit(e.index))
        if isinstance(e, Reduce):
            return Reduce(e.op, tuple(loops(e.loops)), visit(e.body))
        if isinstance(e, Choose) and choose:
            return choose(e, tuple(map(visit, e.alternatives)))
        return remade(e, visit)

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            known[id(e)] = build(e)
        return known[id(e)]

    return Nest(tuple(loops(nest.loops)), visit(nest.destination), visit(nest.expr))


def exchanged(expr: Expr, node: Expr, other: Expr) -> Expr:
    """``expr`` with ``other`` wherever ``node`` is."""
    known = {id(node): other}

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            known[id(e)] = remade(e, visit)
        return known[id(e)]

    return visit(expr)


def renamed(graph: Graph, other: Mapping[str, str]) -> Graph:
    """Memories by other names; two that get one name are one."""
    def name(n: str) -> str:
        return other.get(n, n)

    memories: dict[str, Memory] = {}
    for m in graph.memories:
        known = memories.get(name(m.name))
        memories[name(m.name)] = replace(m, name=name(m.name)) if known is None else replace(
            known, word_bytes=max(m.word_bytes, known.word_bytes), words=(m.size + known.size) // max(m.word_bytes, known.word_bytes))
    return replace(
        graph, memories=tuple(memories.values()), edges=tuple(replace(e, src=name(e.src), dst=name(e.dst)) for e in graph.edges),
        units=tuple(replace(u, ordered=tuple(dict.fromkeys(map(name, u.ordered)))) for u in graph.units),
        mnemonics=tuple(replace(m, effect=rebuilt(m.effect, memory=name)) for m in graph.mnemonics))


def trimmed(graph: Graph) -> Graph:
    """Without edges that no instruction takes any more: what an alteration leaves is a machine, if a poor one."""
    ways = ways_of(graph)
    return replace(graph, edges=tuple(e for e in graph.edges if (e.src, e.dst) in ways))
