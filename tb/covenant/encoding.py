"""Encoding: each field's bits and range, each rule and opcode, by what hardware says of instructions on the border."""

from __future__ import annotations

import ast
import itertools
import random

from tenon.acg.field import Field
from tenon.acg.formula import evaluate, names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import EncodingError, Mnemonic, accesses
from tenon.acg.random_fields import random_fields
from tenon.hw.registers import ErrorCode
from tenon.tb.covenant.claim import Check
from tenon.tb.covenant.stimuli import opened, scratch
from tenon.tb.covenant.trial import Program, Trial

__all__ = ["field_check", "opcode_check", "rules_check"]

_WORK = 400  # cycles of a probe that hardware executes, at most
_SEGMENT = 1 << 14
_CASES, _FREE = 60, 100  # combinations at one rule's numbers; of random fields


def _verdict(graph: Graph, text: bytes) -> tuple[ErrorCode, int]:
    """What the covenant says of an instruction, and how long it takes."""
    encoding = graph.sequencer.encoding
    offset, width = encoding.place("opcode")
    opcode = int.from_bytes(text, "little") >> offset & (1 << width) - 1
    if opcode not in {m.opcode for m in graph.mnemonics}:
        return ErrorCode.OPCODE, 0
    try:
        m, fields, _ = graph.sequencer.encoding.decode(text, graph.mnemonics)
    except EncodingError:
        return ErrorCode.FIELD, 0
    if not all(evaluate(rule, fields) for rule in m.rules):
        return ErrorCode.FIELD, 0
    if m.violations(fields, graph.memory_bytes):
        return ErrorCode.ADDRESS, 0
    return ErrorCode.NONE, m.timing.cycles("occupancy", fields)


def _check(graph: Graph, attribute: str, promised: str, texts: list[bytes]) -> Check:
    """Hardware's verdict on each of ``texts``; those that it must refuse by themselves, the others one after the other."""
    said = [(text, *_verdict(graph, text)) for text in dict.fromkeys(texts)]
    legal = [text for text, error, cycles in said if error is ErrorCode.NONE and cycles <= _WORK and not _leaves(graph, text)]
    refused = [(text, error) for text, error, _ in said if error is not ErrorCode.NONE]
    programs = [b"".join(legal), *(text for text, _ in refused)]
    end = bytes(graph.sequencer.encoding.bytes)
    trials = tuple(Trial((Program(p + end, scratch(graph), cycle_limit=100_000, counters=False),)) for p in programs)

    def judge(results):
        for (text, error), r in zip([(b"", ErrorCode.NONE), *refused], results, strict=True):
            seen = r.outcomes[0]
            if seen.stuck or seen.error != error:
                what = f"instruction {seen.index}" if not text else _text(graph, text)
                return f"{'no end' if seen.stuck else seen.error.name}, not {error.name}: {what}", False
        return f"as promised, {len(legal)} accepted, {len(refused)} refused", True

    return Check(attribute, promised, trials, judge)


def _text(graph: Graph, text: bytes) -> str:
    try:
        m, fields, _ = graph.sequencer.encoding.decode(text, graph.mnemonics)
    except EncodingError as error:
        return str(error)
    return " ".join([m.name, *(f"{f.name}={fields[f.name]}" for f in m.fields if fields[f.name] != f.default)][:12])


def _leaves(graph: Graph, text: bytes) -> bool:
    """Whether it goes beyond its DRAM segment: what is there would be spoilt."""
    m, fields, _ = graph.sequencer.encoding.decode(text, graph.mnemonics)
    for a in accesses(m):
        if a.memory in graph.segment_names and a.chosen(fields):
            low, high = a.corners(fields)
            if low < 0 or high >= _SEGMENT:
                return True
    return False


def _legal(graph: Graph, m: Mnemonic, rng: random.Random) -> dict[str, object]:
    return opened(m, random_fields(m, graph.memory_bytes | dict.fromkeys(graph.segment_names, _SEGMENT), rng, work=60))


def _mild(m: Mnemonic, fields: dict[str, object]) -> list[dict[str, object]]:
    """``fields`` with each legal combination of the choices that rules name, and with numbers that they compare as small as
    can be: so that one of them can become anything that it may be, and nothing else is in the way."""
    ruled = [f for f in m.fields if any(f.name in names(rule) for rule in m.rules)]
    small = fields | {f.name: max(f.low, 0) for f in ruled if f.kind == "int"}
    choices = [f for f in ruled if f.kind == "enum"]
    cases = [small | {f.name: v for f, v in zip(choices, values)} for values in itertools.product(*(range(f.high + 1) for f in choices))]
    return [case for case in cases if all(evaluate(rule, case) for rule in m.rules)]


def field_check(graph: Graph, m: Mnemonic, f: Field, attribute: str) -> Check:
    """Values at the ends of its range and right beyond, and each of its bits turned over, in random legal instructions."""
    rng = random.Random(f"{m.name}.{f.name}")
    _, offset, width, _ = next(place for place in graph.sequencer.encoding.places(m) if place[0].name == f.name)
    texts = []
    cases = [_legal(graph, m, rng) for _ in range(12 if f.kind == "enum" else 4)]
    if any(f.name in names(rule) for rule in m.rules):
        cases += _mild(m, cases[0])
    for number, fields in enumerate(cases):
        # Levels that step on: so that it matters how often, and how far.
        for a in (a for a in accesses(m) if number % 2 and a.memory in graph.memory_bytes):
            fields.update({s: rng.choice((1, -1, 2)) for s, _ in a.terms if isinstance(s, str)})
        text = graph.sequencer.encoding.encode(m, fields)
        word = int.from_bytes(text, "little")
        now = word >> offset & (1 << width) - 1
        border = [] if f.kind == "f32" else [v for v in (f.low - 1, f.low, f.low + 1, f.high - 1, f.high, f.high + 1)]
        bits = {f.encode(v) for v in border if f.decode(f.encode(v)) == v} | {now ^ 1 << b for b in (0, width - 1, rng.randrange(width))}
        if f.kind == "enum":
            bits |= set(range(1 << width))
        texts += [(word & ~((1 << width) - 1 << offset) | b << offset).to_bytes(len(text), "little") for b in sorted(bits)]
    kind = "binary32" if f.kind == "f32" else "|".join(f.choices) if f.choices else f"{f.low}..{f.high}"
    return _check(graph, attribute, f"bits {offset}..{offset + width - 1}: {kind}", texts)


def opcode_check(graph: Graph, m: Mnemonic, attribute: str) -> Check:
    """The mnemonic under every opcode that no instruction has, and under its own."""
    rng = random.Random(m.name)
    text = graph.sequencer.encoding.encode(m, _legal(graph, m, rng))
    known = {other.opcode for other in graph.mnemonics}
    texts = [text, *(bytes([text[0] & 0xF0 | opcode]) + text[1:] for opcode in range(1, 16) if opcode not in known)]
    return _check(graph, attribute, f"{m.opcode}", texts)


def rules_check(graph: Graph, m: Mnemonic, attribute: str) -> Check:
    """Fields at, below and above every number that a rule compares them with, in all combinations; and random fields,
    of which none but the rules that are here may be needed."""
    rng = random.Random(m.name)
    texts = []
    for rule in m.rules:
        near = {name: _near(rule, m.field(name)) for name in sorted(names(rule))}
        cases = list(itertools.product(*near.values()))
        for values in cases if len(cases) <= _CASES else rng.sample(cases, _CASES):
            texts.append(graph.sequencer.encoding.encode(m, m.complete(opened(m, dict(zip(near, values, strict=True))))))
    for _ in range(_FREE):
        fields = {name: v for name, v in zip(rng.sample(m.extents, 2), (2, 17), strict=True) if v <= m.field(name).high}
        for f in m.fields:
            if f.name not in m.extents and f.kind != "f32" and f.high - f.low < 1 << 10:
                fields[f.name] = rng.choice((f.low, f.high, rng.randint(f.low, f.high)))
        texts.append(graph.sequencer.encoding.encode(m, m.complete(opened(m, fields))))
    return _check(graph, attribute, "; ".join(m.rules) or "none", texts)


def _near(rule: str, f: Field) -> list[int]:
    """Values of a field at, below and above the numbers that ``rule`` compares it with."""
    compares = [n for n in ast.walk(ast.parse(rule)) if isinstance(n, ast.Compare) and n.left.id == f.name]
    limits = {ast.literal_eval(n.comparators[0]) + d for n in compares for d in (-1, 0, 1)}
    return sorted(v for v in limits if f.low <= v <= f.high)
