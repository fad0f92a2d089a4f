"""Lies: a covenant with one attribute altered by one. Hardware stays as it is, so the suite must see each of them."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from dataclasses import replace

from tenon.acg.field import Field
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.serial import mnemonic_from, mnemonic_to

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
    first, second, *rest = graph.segments
    yield Lie("segments", "two change places", replace(graph, segments=(second, first, *rest)))
    yield Lie("segments", "one less", replace(graph, segments=graph.segments[:-1]))
    yield Lie("segments", "one more", replace(graph, segments=(*graph.segments, "MORE")))
    for name in ("bus_bytes", "block"):
        for by in (1, -1):
            yield Lie(name, f"{by:+}", replace(graph, **{name: getattr(graph, name) + by}))
    yield Lie("fingerprint", "of another covenant", replace(graph, block=graph.block + 1))


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
        elif f.name == "space":
            yield f.name, "dram" if value == "on-chip" else "on-chip", "the other"


def _mnemonics(m: Mnemonic) -> Iterator[tuple[str, str, Mnemonic]]:
    for by in (1, -1):
        if 0 < m.opcode + by < 16:
            yield "opcode", f"{by:+}", replace(m, opcode=m.opcode + by)
        for term, formula in m.cost.items():
            yield f"cost.{term}", f"{by:+}", replace(m, cost={**m.cost, term: f"({formula}) + {by}"})
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
    data = mnemonic_to(m)
    limits = {node["of"][1] for node in data["effect"]["nodes"] if node.get("op") == "within"}  # single fields, as binary32 numbers are
    for k, node in enumerate(data["effect"]["nodes"]):
        other = None
        if "choose" in node and len(set(node["of"])) > 1:
            other, what = {**node, "of": node["of"][1:] + node["of"][:1]}, f"choices of {node['choose']}"
        elif "constant" in node and node["element"] == "i32":
            other, what = {**node, "constant": node["constant"] + 1}, f"constant {node['constant']}"
        elif node.get("op") in _OTHER:
            other, what = {**node, "op": _OTHER[node["op"]]}, f"{node['op']} is {_OTHER[node['op']]}"
        elif "reduce" in node:
            kind = "max" if node["reduce"] == "add" else "add"
            other, what = {**node, "reduce": kind}, f"{node['reduce']} over {node['loops'][-1][0]} is {kind}"
        elif "val" in node and node["element"] != "f32" and k not in limits:
            other, what = {**node, "val": [*node["val"], ["", "", 1]]}, f"one more than {node['val'][0]}"
        elif "load" in node:
            other, what = _turned(node), f"strides of {node['load'][0]} change places"
        if other is not None:
            nodes = [*data["effect"]["nodes"][:k], other, *data["effect"]["nodes"][k + 1:]]
            yield "effect", what, mnemonic_from({**data, "effect": {**data["effect"], "nodes": nodes}})


def _turned(node: dict) -> dict | None:
    """A load whose first two levels have each other's strides."""
    form = [list(term) for term in node["index"][0]]
    one, two, *_ = [term for term in form if term[0] and term[1]] + [None, None]
    if two is None:
        return None
    one[0], two[0] = two[0], one[0]
    return {**node, "index": [form, *node["index"][1:]]}
