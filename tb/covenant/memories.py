"""Memories: their depth, their words, their banks, and where they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tenon.acg.graph import Graph, Kind, Memory
from tenon.acg.mnemonic import Access, Mnemonic, accesses
from tenon.compiler.instruction import Instruction
from tenon.hw.params import SystolicParams
from tenon.hw.registers import ErrorCode
from tenon.tb.covenant.claim import Check
from tenon.tb.covenant.effects import whole_state
from tenon.tb.covenant.stimuli import chosen, image, instruction, long_level, scratch
from tenon.tb.covenant.trial import Program, Trial

__all__ = ["memory_checks"]

_LONG, _SHORT = 2000, 64  # steps of an instruction that keeps a bank busy, and of one that comes to it
_NEAR = 4096  # bytes before DRAM's end, where a segment is put to reach beyond it


def memory_checks(graph: Graph, memory: Memory, params: SystolicParams) -> Iterator[Check]:
    """All attributes of ``memory``."""
    name = f"memories.{memory.name}"
    if memory.kind is Kind.DRAM:
        yield from _dram_checks(graph, memory, name, 1 << params.address_bits)
    else:
        yield from _depth_checks(graph, memory, name)
        yield _banks(graph, memory, f"{name}.banks")


def _depth_checks(graph: Graph, memory: Memory, name: str) -> Iterator[Check]:
    """Operand by operand, the last word works and the next is refused; and every word holds what it is given."""
    users = [(m, a) for m in graph.mnemonics for a in accesses(m) if a.memory == memory.name]
    cases = [(m, a, beyond) for m, a in users for beyond in (False, True)]
    trials = tuple(_at_the_end(graph, m, a, memory.size, beyond) for m, a, beyond in cases)
    kept = whole_state(graph)

    def depth(results) -> str | None:
        for (m, a, beyond), r in zip(cases, results, strict=False):
            if r.outcomes[0].error != (ErrorCode.ADDRESS if beyond else ErrorCode.NONE):
                return f"{m.name} by {a.base}, {'beyond' if beyond else 'at'} the end: {r.outcomes[0].error.name}"
        return None if users else "nothing uses it"

    def words(results):
        wrong = depth(results) or kept.judge(results[len(trials):])
        return wrong or f"{memory.words}: the last works, the next is refused", not wrong

    def word(results):
        units = {a.unit for _, a in users} - {1}
        wrong = depth(results) or (None if memory.word_bytes in units else f"addresses count {', '.join(map(str, units))} bytes")
        return wrong or f"{memory.word_bytes}", not wrong

    def kind(results):
        wrong = depth(results) or (None if memory.kind is Kind.SCRATCHPAD else "instructions find any byte of it")
        return wrong or Kind.SCRATCHPAD.value, not wrong

    yield Check(f"{name}.words", f"{memory.words}", (*trials, *kept.trials), words)
    yield Check(f"{name}.word_bytes", f"{memory.word_bytes}", trials, word)
    yield Check(f"{name}.kind", memory.kind, trials, kind)


def _at_the_end(graph: Graph, m: Mnemonic, access: Access, size: int, beyond: bool) -> Trial:
    """An instruction whose one operand is the last that fits, or the next."""
    fields = {**chosen(access), access.base: (size - access.span) // access.unit + beyond}
    return Trial((Program(image(graph, [instruction(m, fields)]), scratch(graph)),))


def _dram_checks(graph: Graph, memory: Memory, name: str, addresses: int) -> Iterator[Check]:
    """DRAM is as large as addresses reach: the byte after its last is its first. ``addresses``: what a base register can say."""
    m, access = next((m, a) for m in graph.mnemonics for a in accesses(m) if a.memory in graph.segment_names and not a.write)
    run = next(n for s, n in access.terms if s == 1)
    place = 64 * graph.bus_bytes
    fields = {**chosen(access), access.base: _NEAR + place, run: graph.bus_bytes}
    base = memory.size - _NEAR
    trial = Trial((Program(image(graph, [instruction(m, fields)]), scratch(graph),
                           bases=((graph.segment_names.index(access.memory), base % addresses),)),))

    def reach(results):
        outcome = results[0].outcomes[0]
        bursts = [(b.address, b.beats) for b in outcome.bursts if b.address < 2 * place and not b.write]
        holds = 0 <= base < addresses and bursts == [(place, 1)] and outcome.error is ErrorCode.NONE
        return ("its end is its start" if holds else f"bursts (address, beats) {bursts}"), holds

    unused = "in the covenant, but not on the bus"
    yield Check(f"{name}.words", f"{memory.words}", (trial,), reach)
    yield Check(f"{name}.word_bytes", f"{memory.word_bytes}", (trial,), reach)
    yield Check(f"{name}.kind", memory.kind, (trial,), lambda r: (Kind.DRAM.value if reach(r)[1] else unused, reach(r)[1]))
    yield Check(f"{name}.banks", f"{memory.banks}", (), lambda _: ("1: there is one bus", memory.banks == 1))


def _banks(graph: Graph, memory: Memory, name: str) -> Check:
    """Two units at the same time: in one part of the memory they are in each other's way, in two they are not."""
    users = [(m, a) for m in graph.mnemonics for a in accesses(m) if a.memory == memory.name]
    pairs = [(p, q) for p, q in itertools.permutations(users, 2) if p[0].unit != q[0].unit and p[1].write == q[1].write]
    part = memory.size // memory.banks
    places = {"at the same word": lambda a: 0, "at the other end of its part": lambda a: (part - a.span) // a.unit}
    if memory.banks > 1:
        places["in the next part"] = lambda a: -(-part // a.unit)
    trials = []
    for place, ((p, a), (q, b)) in itertools.product(places.values(), pairs):
        stream, other = _still(graph, p, a, 0, _LONG), _still(graph, q, b, place(b), _SHORT, apart=True)
        trials.append(Trial(tuple(Program(image(graph, program), scratch(graph)) for program in ([stream], [other], [stream, other]))))

    def judge(results):
        stalls = [_stalls(r) for r in results]
        meets = {where: any(stalls[k * len(pairs):(k + 1) * len(pairs)]) for k, where in enumerate(places)}
        if not meets["at the same word"]:
            return "1: nobody competes", memory.banks == 1
        wrong = [where for where, met in meets.items() if met != (where != "in the next part")]
        verb = "stalls" if wrong == ["in the next part"] else "no stall"
        return f"{verb} {wrong[0]}" if wrong else f"{memory.banks}", not wrong

    return Check(name, f"{memory.banks}", tuple(trials), judge)


def _stalls(result) -> bool:
    """Whether units waited for banks together more than alone, and for longer than the few words that they begin with, of weights and
    parameters, which are in one bank."""
    one, other, both = (sum(v for n, v in o.counters.items() if n.endswith("_BANK")) for o in result.outcomes)
    return both - one - other > _SHORT // 4


def _still(graph: Graph, m: Mnemonic, access: Access, word: int, count: int, *, apart: bool = False) -> Instruction:
    """An instruction that goes ``count`` times to the same address; if ``apart``, with its other operands at the ends of
    their memories."""
    ends = {a.base: (graph.memory_bytes[a.memory] - a.span) // a.unit for a in accesses(m)
            if apart and a.memory != access.memory and a.memory in graph.memory_bytes}
    return instruction(m, {**ends, **chosen(access), access.base: word, long_level(m, count): count})
