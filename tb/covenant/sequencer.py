"""The sequencer: queues, tokens, dispatch, time stamps; and what belongs to the whole machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tenon.acg.expr import Load, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.compiler.instruction import Instruction
from tenon.hw.params import SystolicParams
from tenon.hw.registers import ErrorCode, registers
from tenon.tb.covenant.claim import Check
from tenon.tb.covenant.stimuli import DONE, chosen, gate, image, instruction, opened, scratch, with_header
from tenon.tb.covenant.trial import Program, Result, Trial

__all__ = ["graph_checks", "sequencer_checks"]

_DISPATCH = 100  # cycles that an instruction takes at most from the bus to its queue, when nothing is in the way


def _on_chip(graph: Graph) -> list[Mnemonic]:
    return [m for m in graph.mnemonics if all(a.memory in graph.memory_bytes for a in accesses(m))]


def _trial(graph: Graph, program: list[Instruction], **options) -> Trial:
    return Trial((Program(image(graph, program), scratch(graph), **options),))


def _stamps(result: Result) -> list[int]:
    """Time stamps in the order in which they came."""
    return [mark.index for mark in result.outcomes[0].marks]


def sequencer_checks(graph: Graph, params: SystolicParams) -> Iterator[Check]:
    """All attributes of the sequencer."""
    yield _encoding(graph)
    yield _queues(graph)
    yield _tokens(graph)
    yield _limit(graph)
    yield _issue(graph)
    yield _marks(graph, params)


def _encoding(graph: Graph) -> Check:
    """An instruction waits for one that signals that it has read, then one that signals that it is done; all leave their time stamps."""
    unit, *others = [u.name for u in graph.units]
    open_ = gate(graph, unit, _DISPATCH * 8)
    m = next(m for m in graph.mnemonics if m.unit == unit)
    after = next(m for m in graph.mnemonics if m.unit in others and m.unit != open_.mnemonic.unit)
    trials = []
    for kind in ("release", "done"):
        program = [with_header(open_, done=DONE, mark=1), instruction(m, waits=DONE, **{kind: DONE << 1}, mark=2),
                   instruction(after, waits=DONE << 1, mark=3)]
        trials.append(_trial(graph, program, cycle_limit=50_000))

    def judge(results):
        outcomes = [r.outcomes[0] for r in results]
        holds = all(not o.stuck and o.error is ErrorCode.NONE and _stamps(r) == [1, 2, 3] for o, r in zip(outcomes, results, strict=True))
        return ("as promised" if holds else f"time stamps {[_stamps(r) for r in results]}"), holds

    return Check("sequencer.encoding", f"{graph.sequencer.encoding.bits} bits", tuple(trials), judge)


def _queues(graph: Graph) -> Check:
    """Behind an instruction that waits, ``queue_depth`` others find room: what comes after them is dispatched."""
    depth, units = graph.sequencer.queue_depth, [u.name for u in graph.units]
    counts = range(max(depth - 1, 0), depth + 4)  # instructions before the one whose time stamp tells
    trials = []
    for unit in units:
        m = next(m for m in graph.mnemonics if m.unit == unit)
        open_ = gate(graph, unit, _DISPATCH * (depth + 8))
        other = next(m for m in graph.mnemonics if m.unit not in (unit, open_.mnemonic.unit))
        for count in counts:
            waiting = [with_header(instruction(m), waits=DONE), *[instruction(m)] * count]
            trials.append(_trial(graph, [with_header(open_, done=DONE, mark=1), *waiting, instruction(other, mark=2)]))

    def judge(results):
        seen = []
        for k in range(len(units)):
            room = [count for count, r in zip(counts, results[k * len(counts):], strict=False) if _stamps(r) == [2, 1]]
            seen.append(max(room, default=0))
        return " ".join(f"{unit} {n}" for unit, n in zip(units, seen, strict=True)), set(seen) == {depth}

    return Check("sequencer.queue_depth", f"{depth}", tuple(trials), judge)


def _tokens(graph: Graph) -> Check:
    """Of the header's bits, those that make an instruction wait."""
    m = _on_chip(graph)[0]
    _, width = graph.sequencer.encoding.place("waits")
    trials = []
    for bit in range(width):
        open_ = gate(graph, m.unit, 4 * _DISPATCH)
        program = [with_header(open_, done=1 << bit, mark=1), instruction(m, waits=1 << bit, mark=2)]
        trials.append(_trial(graph, program, cycle_limit=50_000))

    def judge(results):
        works = [r for r in results if not r.outcomes[0].stuck and _stamps(r) == [1, 2]]
        return f"{len(works)}", len(works) == graph.sequencer.tokens

    return Check("sequencer.tokens", f"{graph.sequencer.tokens}", tuple(trials), judge)


def _limit(graph: Graph) -> Check:
    limit, m = graph.sequencer.token_limit, _on_chip(graph)[0]

    def signals(count: int) -> Trial:
        twice, once = count // 2, count % 2
        return _trial(graph, [instruction(m, release=DONE, done=DONE)] * twice + [instruction(m, done=DONE)] * once)

    def judge(results):
        fits, over = (r.outcomes[0].error for r in results)
        holds = (fits, over) == (ErrorCode.NONE, ErrorCode.TOKEN)
        return f"{limit}: {fits.name}, {limit + 1}: {over.name}", holds

    return Check("sequencer.token_limit", f"{limit}", (signals(limit), signals(limit + 1)), judge)


def _issue(graph: Graph) -> Check:
    """The distance of short instructions, whichever choice of operands takes longest to be dispatched."""
    cases: dict[tuple, tuple[Mnemonic, dict[str, int]]] = {}
    for m in _on_chip(graph):
        operands = [a for a in accesses(m) if a.memory in graph.memory_bytes]
        names = sorted({name for a in operands for name, _ in a.conditions})
        for values in itertools.product(*(range(m.field(n).high + 1) for n in names)):
            choice = dict(zip(names, values, strict=True))
            if m.violations(m.complete(opened(m, choice)), {}):
                continue
            cases.setdefault((m.name, *(a.chosen(choice) for a in operands)), (m, choice))
    trials = tuple(_trial(graph, [instruction(m, choice, mark=k) for k in range(1, 5)]) for m, choice in cases.values())

    def judge(results):
        apart = [r.outcomes[0].marks[3].cycle - r.outcomes[0].marks[2].cycle for r in results]
        slowest = list(cases)[apart.index(max(apart))][0]
        return f"{max(apart)} ({slowest})", max(apart) == graph.sequencer.issue_cycles

    return Check("sequencer.issue_cycles", f"{graph.sequencer.issue_cycles}", trials, judge)


def _marks(graph: Graph, params: SystolicParams) -> Check:
    """The last time stamp is kept in its register, one with the next number nowhere."""
    marks, m, regs = graph.sequencer.marks, _on_chip(graph)[0], registers(params)
    first = regs.offset("MARK")
    places = (first, first + 4 * (marks - 1), first + 4 * marks)
    program = [instruction(m, mark=1), instruction(m, mark=marks - 1), instruction(m, mark=marks)]
    trials = (_trial(graph, program, reads=places),)

    def judge(results):
        outcome = results[0].outcomes[0]
        stamps = [mark.cycle for mark in outcome.marks]
        zeroth, last, beyond = outcome.reads
        holds = len(stamps) == 3 and last == stamps[1] and zeroth not in stamps and beyond == 0
        return (f"{marks - 1} is kept, {marks} is not" if holds else f"registers hold {last} and {beyond}, not {stamps[1:]}"), holds

    return Check("sequencer.marks", f"{marks}", trials, judge)


# The whole machine.

def graph_checks(graph: Graph, params: SystolicParams) -> Iterator[Check]:
    """Attributes that belong to no part."""
    yield _segments(graph)
    yield _bus(graph)
    yield _fingerprint(graph, params)


def _segments(graph: Graph) -> Check:
    """Each segment begins at the address in the base register of its number."""
    used = {e.operand.name for m in graph.mnemonics for root in (m.effect.expr, m.effect.destination) for e in walk(root)
            if isinstance(e, Load)} - set(graph.memory_bytes)
    bases = tuple((i, 0x1_0000 * (2 + i)) for i in range(len(graph.segment_names)))
    reads = [(m, a) for m in graph.mnemonics for a in accesses(m) if a.memory in used and not a.write]
    trials = tuple(Trial((Program(image(graph, [instruction(m, chosen(a))]), (), bases=bases),)) for m, a in reads)

    def judge(results):
        addresses = dict(zip(graph.segment_names, (base for _, base in bases), strict=True))
        wrong = [a.memory for (_, a), r in zip(reads, results, strict=True)
                 if addresses.get(a.memory) not in {b.address for b in r.outcomes[0].bursts}]
        holds = not wrong and used == set(graph.segment_names)
        return ("each at its register" if holds else f"{', '.join(wrong) or 'others are used'}: not there"), holds

    return Check("segments", ", ".join(f"{s.name} for {s.role}" for s in graph.segments), trials, judge)


def _bus(graph: Graph) -> Check:
    """Bytes of a run, by the beats that it takes."""
    m, a = next((m, a) for m in graph.mnemonics for a in accesses(m) if a.memory in graph.segment_names and not a.write)
    run = next(n for s, n in a.terms if s == 1)
    counts = (1024, 2048)
    trials = tuple(_trial(graph, [instruction(m, {**chosen(a), run: n})]) for n in counts)

    def judge(results):
        few, many = (r.outcomes[0].counters["READ_BEATS"] for r in results)
        size = (counts[1] - counts[0]) / (many - few) if many > few else 0
        return f"{size:g}", size == graph.bus_bytes

    return Check("bus_bytes", f"{graph.bus_bytes}", trials, judge)


def _fingerprint(graph: Graph, params: SystolicParams) -> Check:
    trial = _trial(graph, [], reads=(registers(params).offset("FINGERPRINT"),))

    def judge(results):
        seen, = results[0].outcomes[0].reads
        return f"{seen:08x}", f"{seen:08x}" == graph.fingerprint[:8]

    return Check("fingerprint", graph.fingerprint[:8], (trial,), judge)
