"""Lies: a covenant with one attribute altered by one. Hardware stays as it is, so the suite must see each of them."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from dataclasses import replace

from tenon.acg.encoding import Encoding
from tenon.acg.expr import Aff, Choose, Expr, Load, Nest, Op, Reduce, Val, walk
from tenon.acg.field import Field
from tenon.acg.graph import Graph, Kind, Role, Segment
from tenon.acg.mnemonic import Mnemonic
from tenon.tb.graph_edits import exchanged

__all__ = ["Lie", "lies"]

#: Operations that another one of as many arguments stands for.
_OTHER = {"add": "sub", "sub": "add", "mul": "add", "max": "min", "min": "max"}


@dataclasses.dataclass(frozen=True)
class Lie:
    """A covenant that lies about ``attribute``; ``what`` says how."""

    attribute: str
    what: str
    graph: Graph


def lies(graph: Graph) -> Iterator[Lie]:
    """Each attribute of ``graph`` in turn, one more and one less, or otherwise changed by as little as can be."""
    yield from _parts(graph, "memories", lambda m: m.name)
    yield from _parts(graph, "edges", lambda e: f"{e.src}-{e.dst}")
    yield from _parts(graph, "units", lambda u: u.name)
    for name, value, what in _altered(graph.sequencer):
        yield Lie(f"sequencer.{name}", what, replace(graph, sequencer=replace(graph.sequencer, **{name: value})))
    for k, m in enumerate(graph.mnemonics):
        for attribute, what, other in _mnemonics(m):
            yield Lie(f"mnemonics.{m.name}.{attribute}", what,
                      replace(graph, mnemonics=(*graph.mnemonics[:k], other, *graph.mnemonics[k + 1:])))
    for what, other in _encodings(graph.sequencer.encoding):
        yield Lie("sequencer.encoding", what, replace(graph, sequencer=replace(graph.sequencer, encoding=other)))
    first, second, *rest = graph.segments
    yield Lie("segments", "two change places", replace(graph, segments=(second, first, *rest)))
    yield Lie("segments", "one less", replace(graph, segments=graph.segments[:-1]))
    yield Lie("segments", "one more", replace(graph, segments=(*graph.segments, Segment("MORE", Role.SCRATCH))))
    for by in (1, -1):
        yield Lie("bus_bytes", f"{by:+}", replace(graph, bus_bytes=graph.bus_bytes + by))
    yield Lie("fingerprint", "of another covenant", replace(graph, bus_bytes=graph.bus_bytes + 1))


def _parts(graph: Graph, kind: str, name_of) -> Iterator[Lie]:
    parts = getattr(graph, kind)
    for k, part in enumerate(parts):
        for name, value, what in _altered(part):
            other = (*parts[:k], replace(part, **{name: value}), *parts[k + 1:])
            yield Lie(f"{kind}.{name_of(part)}.{name}", what, replace(graph, **{kind: other}))


def _altered(part: object) -> Iterator[tuple[str, object, str]]:
    """(attribute, other value, how) of a part's own attributes."""
    for f in dataclasses.fields(part):
        value = getattr(part, f.name)
        if isinstance(value, int | float):
            for by in (1, -1):
                yield f.name, value + by, f"{by:+}"
        elif f.name == "ordered":
            yield f.name, value[1:] if value else ("VEC",), "one less" if value else "one more"
        elif f.name == "kind":
            yield from ((f.name, other, f"{other}") for other in Kind if other is not value)


def _encodings(encoding: Encoding) -> Iterator[tuple[str, Encoding]]:
    """Instructions a byte longer or shorter, and one of the common fields a bit further up or down."""
    for by in (8, -8):
        yield f"{by:+} bits", replace(encoding, bits=encoding.bits + by)
    for k, (name, offset, width) in enumerate(encoding.header):
        for by in (1, -1):
            if offset + by >= 0:
                moved = (*encoding.header[:k], (name, offset + by, width), *encoding.header[k + 1:])
                yield f"{name} {by:+}", replace(encoding, header=moved)


def _mnemonics(m: Mnemonic) -> Iterator[tuple[str, str, Mnemonic]]:
    for by in (1, -1):
        if 0 < m.opcode + by < 16:
            yield "opcode", f"{by:+}", replace(m, opcode=m.opcode + by)
        for term, formula in m.timing.terms():
            yield f"timing.{term}", f"{by:+}", replace(m, timing=replace(m.timing, **{term: f"({formula}) + {by}"}))
        for k, rule in enumerate(m.rules):
            for place, other in enumerate(_shifted(rule, by)):
                yield "rules", f"number {place} of rule {k} {by:+}", replace(m, rules=(*m.rules[:k], other, *m.rules[k + 1:]))
    for k in range(len(m.rules)):
        yield "rules", f"without rule {k}", replace(m, rules=(*m.rules[:k], *m.rules[k + 1:]))
    for k, f in enumerate(m.fields):
        for what, other in _fields(f):
            yield f"fields.{f.name}", what, replace(m, fields=(*m.fields[:k], other, *m.fields[k + 1:]))
    yield from _effects(m)


def _shifted(rule: str, by: int) -> Iterator[str]:
    """The rule with one of its limits moved. What is compared for equality is a choice, not a limit."""
    count = sum(isinstance(n, ast.Constant) for n in ast.walk(ast.parse(rule)))
    for k in range(count):
        tree = ast.parse(rule, mode="eval")
        constant = [n for n in ast.walk(tree) if isinstance(n, ast.Constant)][k]
        compares = [n for n in ast.walk(tree) if isinstance(n, ast.Compare) and n.comparators[0] is constant]
        if compares and not isinstance(compares[0].ops[0], ast.Eq):
            constant.value += by
            yield ast.unparse(tree)


def _fields(f: Field) -> Iterator[tuple[str, Field]]:
    if f.kind == "enum":
        yield "one choice more", replace(f, high=f.high + 1, choices=(*f.choices, "more"))
        yield "one choice less", replace(f, high=f.high - 1, choices=f.choices[:-1])
    elif f.kind == "f32":
        yield "an integer", Field(f.name, 0, 2**32 - 2)
    else:
        for end in ("low", "high"):
            for by in (1, -1):
                yield f"{end} {by:+}", replace(f, **{end: getattr(f, end) + by})


def _effects(m: Mnemonic) -> Iterator[tuple[str, str, Mnemonic]]:
    """One node of the effect altered: choices moved on by one, numbers one more, operations by others, strides by others."""
    nest = m.effect
    nodes = [*walk(nest.destination), *walk(nest.expr)]
    limits = {id(node.args[1]) for node in nodes if isinstance(node, Op) and node.name == "within"}  # single fields
    for node in nodes:
        if id(node) not in limits and (told := _other(node)):
            what, other = told
            parts = (exchanged(part, node, other) for part in (nest.destination, nest.expr))
            yield "effect", what, replace(m, effect=Nest(nest.loops, *parts))


def _other(node: Expr) -> tuple[str, Expr] | None:
    """What is said about a node instead, and how."""
    if isinstance(node, Choose) and len(set(map(id, node.alternatives))) > 1:
        return f"choices of {node.field}", Choose(node.field, (*node.alternatives[1:], node.alternatives[0]))
    if isinstance(node, Val) and node.element == "i32":
        return f"{node.value} is one more", Val(node.value + 1)
    if isinstance(node, Op) and node.name in _OTHER:
        return f"{node.name} is {_OTHER[node.name]}", Op(_OTHER[node.name], node.args)
    if isinstance(node, Reduce):
        kind = "max" if node.op == "add" else "add"
        return f"{node.op} over {node.loops[-1].name} is {kind}", Reduce(kind, node.loops, node.body)
    return _turned(node) if isinstance(node, Load) else None


def _turned(load: Load) -> tuple[str, Load] | None:
    """A load whose first two levels have each other's strides."""
    first, *rest = load.index
    one, two, *_ = [term for term in first.terms if all(term[0])] + [None, None]
    if two is None:
        return None
    (l1, f1), c1 = one
    (l2, f2), c2 = two
    terms = {**dict(first.terms), (l1, f1): 0, (l2, f2): 0}
    terms |= {(l2, f1): c1, (l1, f2): c2}
    return f"strides of {load.operand.name} change places", Load(load.operand, (Aff.build(terms), *rest))
