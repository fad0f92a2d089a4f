"""Cycles: what instructions cost, what edges carry, what units multiply."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tenon.acg.expr import Lookup, Reduce, walk
from tenon.acg.formula import names
from tenon.acg.graph import Edge, Graph, Unit
from tenon.acg.mnemonic import Access, Mnemonic, accesses
from tenon.acg.random_fields import random_fields
from tenon.compiler.instruction import Instruction
from tenon.hw.registers import ErrorCode
from tenon.tb.covenant.claim import Check
from tenon.tb.covenant.stimuli import DONE, chosen, gate, image, instruction, opened, room, scratch, swept, with_header
from tenon.tb.covenant.trial import DRAM_LATENCY, Program, Result, Trial

__all__ = ["timing_checks", "edge_checks", "peak_check"]

_QUIET = 600  # cycles after which everything is fetched
_STEPS, _BYTES = 256, 4096  # of a stream, and of one run of bytes
_RANDOM = 10  # instructions with random fields
_SEGMENT = 1 << 14
_DRAWN, _STEPPING = 1000, 16  # instructions of random extents, and those whose last step is measured
_SMALL = 16  # steps of a level that hardware works on side by side, at most


@dataclass(frozen=True)
class _Pair:
    """An instruction by itself, and twice in a row, on a machine that is otherwise idle."""

    instruction: Instruction
    trial: Trial

    @classmethod
    def of(cls, graph: Graph, i: Instruction) -> _Pair:
        open_ = gate(graph, i.mnemonic.unit, _QUIET)
        first, again = with_header(i, waits=DONE, mark=1), with_header(i, mark=2)
        return cls(i, Trial(tuple(Program(image(graph, [open_, *body]), scratch(graph)) for body in ([first], [first, again]))))

    def busy(self, result: Result) -> int:
        """Cycles from its begin to its end."""
        return result.outcomes[0].counters[f"{self.instruction.mnemonic.unit}_BUSY"]

    def interval(self, result: Result) -> int:
        """Cycles from the end of the first to the end of the second."""
        return result.outcomes[1].marks[1].cycle - result.outcomes[1].marks[0].cycle

    def cost(self, what: str) -> int:
        m = self.instruction.mnemonic
        return m.timing.cycles(what, self.instruction.fields)


def _moves(graph: Graph, m: Mnemonic) -> bool:
    """Whether it goes to DRAM."""
    return any(a.memory not in graph.memory_bytes for a in accesses(m))


def _streams(graph: Graph, m: Mnemonic, given: dict[str, int], part: int = 1) -> Iterator[tuple[str, Instruction]]:
    """Level and instruction for each level that can go on and on; the whole way, or one part in ``part`` of it."""
    for level in m.extents:
        run = any(s == 1 for a in accesses(m) for s, n in a.terms if n == level)  # steps of a run are bytes
        count = min(room(graph, m, given, level), _BYTES if run else _STEPS)
        count -= count % graph.bus_bytes if run else 0
        # Runs within runs are whole words of the bus, so that nothing needs to be shifted.
        more = {n: graph.bus_bytes for a in accesses(m) for s, n in a.terms if s == 1} if not run else {}
        fields = swept(m, {**given, **more}, level, count)
        if more:
            fields |= {s: graph.bus_bytes for a in accesses(m) for s, n in a.terms if n == level}
        while m.violations(m.complete(opened(m, fields)), graph.memory_bytes):
            fields[level] //= 2
        fields[level] //= part
        if fields[level]:
            yield level, instruction(m, fields)


def _random(graph: Graph, m: Mnemonic) -> Iterator[Instruction]:
    rng = random.Random(m.name)
    sizes = graph.memory_bytes | dict.fromkeys(graph.segment_names, _SEGMENT)
    for _ in range(_RANDOM):
        yield instruction(m, random_fields(m, sizes, rng, work=_STEPS))


# Costs.

def timing_checks(graph: Graph, m: Mnemonic, attribute: str) -> Iterator[Check]:
    """Each term of ``m.timing``.

    ``occupancy`` is the distance of an instruction from another like it; of transfers, that of a single run, and what
    many runs take at least. Busy from its begin to its end, an instruction takes ``fill``,
    occupancy and ``visible``; less if its last tile is a short one.
    """
    streams = [_Pair.of(graph, i) for _, i in _streams(graph, m, {})]
    others = [_Pair.of(graph, i) for i in _random(graph, m)]
    pairs = streams + others
    trials = tuple(p.trial for p in pairs)
    # A read's first data, a write's request and then its answer come so much later.
    wait = max((1 + a.write for a in accesses(m) if a.memory in graph.segment_names), default=0) * DRAM_LATENCY

    def ends(results: Sequence[Result]) -> str | None:
        bad = [o for r in results for o in r.outcomes if o.stuck or o.error is not ErrorCode.NONE]
        return f"ends with {bad[0].error.name}" if bad else None

    def occupancy(results):
        if wrong := ends(results):
            return wrong, False
        late = []
        for p, r in zip(pairs, results, strict=True):
            seen, said = p.interval(r), p.cost("occupancy")
            late.append(seen - said if said > _LEAST_INTERVAL else 0)
            limit = 1 if p in streams else 1 + said // 50 if not _moves(graph, m) else seen
            if not 0 <= late[-1] <= limit:
                levels = ", ".join(f"{n}={p.instruction.fields[n]}" for n in m.extents if p.instruction.fields[n] > 1)
                return f"{seen}, not {said} cycles ({levels})", False
        exact = sum(p.interval(r) == p.cost("occupancy") > _LEAST_INTERVAL for p, r in zip(pairs, results, strict=True))
        return f"as promised, {exact} of {len(pairs)} to the cycle", exact > 0

    def beyond(results):
        if wrong := ends(results):
            return wrong, False
        seen = max(p.busy(r) - p.cost("occupancy") - p.cost("fill") - wait for p, r in zip(streams, results, strict=False))
        return f"{seen} cycles after the last issue", seen == streams[0].cost("visible")

    for what, formula in m.timing.terms():
        if what == "reads":
            yield _release(graph, m, f"{attribute}.{what}", formula)
        elif what == "step":
            yield _step(graph, m, f"{attribute}.{what}", formula)
        elif what == "occupancy":
            yield Check(f"{attribute}.{what}", formula, trials, occupancy)
        elif what in ("fill", "visible"):
            yield Check(f"{attribute}.{what}", formula, trials, beyond)


def _long_streams(graph: Graph, m: Mnemonic) -> list[Instruction]:
    return [i for _, i in _streams(graph, m, {}) if m.timing.cycles("occupancy", i.fields) >= _LEAST_INTERVAL]


def _other(graph: Graph, *units: str) -> Mnemonic:
    """Something that none of ``units`` does, nor the bus."""
    return next(m for m in graph.mnemonics if m.unit not in units and not _moves(graph, m))


def _release(graph: Graph, m: Mnemonic, attribute: str, formula: str) -> Check:
    """How much sooner than its end an instruction lets another unit go on."""
    found = _long_streams(graph, m)
    trials = []
    for i in found:
        open_ = gate(graph, m.unit, _QUIET)
        after = instruction(_other(graph, m.unit, open_.mnemonic.unit), waits=_AFTER, mark=1)
        trials.append(Trial(tuple(Program(image(graph, [open_, with_header(i, waits=DONE, **{kind: _AFTER}), after]), scratch(graph))
                                  for kind in ("release", "done"))))

    def judge(results):
        sooner = {r.outcomes[1].marks[0].cycle - r.outcomes[0].marks[0].cycle for r in results}
        seen = {m.timing.cycles("visible", found[0].fields) - s for s in sooner}
        return f"{', '.join(map(str, sorted(seen)))} cycles after the last issue", seen == {m.timing.cycles("reads", found[0].fields)}

    return Check(attribute, formula, tuple(trials), judge)


def _step(graph: Graph, m: Mnemonic, attribute: str, formula: str) -> Check:
    """How long before its last issue is over the next instruction's fill can begin.

    The next one has much to bring in: what is not hidden in the last step comes between. ``next``, one instruction,
    ``next`` again: from end to end, both take their occupancy, and so much longer.
    """
    fillers, steps = _shaped(m)
    after = max(fillers, key=lambda i: m.timing.cycles("fill", i.fields))
    fill = m.timing.cycles("fill", after.fields)
    found = [i for i in steps if m.timing.cycles("step", i.fields) < fill][:_STEPPING]
    trials = []
    for i in found:
        open_ = gate(graph, m.unit, 100 * 6)
        program = [open_, with_header(after, waits=DONE, mark=1), with_header(i), with_header(after, mark=2)]
        trials.append(Trial((Program(image(graph, program), scratch(graph)),)))

    def judge(results):
        for i, r in zip(found, results, strict=True):
            first, second = r.outcomes[0].marks
            both = m.timing.cycles("occupancy", i.fields) + m.timing.cycles("occupancy", after.fields)
            seen, said = fill - (second.cycle - first.cycle - both), m.timing.cycles("step", i.fields)
            if seen != said:
                return f"{seen}, not {said} cycles", False
        return f"as promised, {len(found)} instructions", bool(found)

    return Check(attribute, formula, tuple(trials), judge)


def _shaped(m: Mnemonic) -> tuple[list[Instruction], list[Instruction]]:
    """Instructions that differ in what their fill and their last step depend on: those whose last step is longer than
    any fill, and those that are taken long before it."""
    rng = random.Random(m.name)
    decisive = names(m.timing.fill) | names(m.timing.step)
    found = []
    for _ in range(_DRAWN):
        fields = {n: rng.choice([v for v in (1, 2, 3, 8, 40) if v <= m.field(n).high]) for n in m.extents}
        fields |= {n: rng.randint(0, min(m.field(n).high, 1)) for n in sorted(decisive - set(m.extents))}
        i = instruction(m, fields)
        if not m.violations(i.fields, {}) and _LEAST_INTERVAL <= m.timing.cycles("occupancy", i.fields) <= 8 * _STEPS:
            found.append(i)
    most = max(m.timing.cycles("fill", i.fields) for i in found)
    plain = decisive - set(m.extents) - names(m.timing.fill)  # what else a step depends on, fills do without
    return ([i for i in found if m.timing.cycles("step", i.fields) >= most and not any(i.fields[n] for n in plain)],
            [i for i in found if m.timing.cycles("occupancy", i.fields) - m.timing.cycles("step", i.fields) >= _LEAST_INTERVAL])


_AFTER = 2  # a token besides DONE
_LEAST_INTERVAL = 64  # of short instructions, the one after next may have to wait for a place


# Edges.

def edge_checks(graph: Graph, edge: Edge) -> Iterator[Check]:
    """Bytes per cycle of the best stream over an edge, and its longest burst."""
    name = f"edges.{edge.src}-{edge.dst}"
    units = {u.name for u in graph.units}
    unit, memory, write = (edge.src, edge.dst, True) if edge.src in units else (edge.dst, edge.src, False)
    rates = _Rates(graph, [list(_carried(graph, unit, memory, write, part)) for part in (1, 2)])
    trials = rates.trials

    def rate(results):
        best = rates.best(results)
        return f"{float(best):g}", float(best) == edge.bytes_per_cycle

    def burst(results):
        beats = max((b.beats for r in results for o in r.outcomes for b in o.bursts if b.write == write), default=0)
        return f"{beats * graph.bus_bytes}", beats * graph.bus_bytes == edge.burst_bytes

    yield Check(f"{name}.bytes_per_cycle", f"{edge.bytes_per_cycle:g}", trials, rate)
    yield Check(f"{name}.burst_bytes", f"{edge.burst_bytes}", trials if memory == "DRAM" else (), burst)


class _Rates:
    """Amounts per cycle: what twice as long a stream has more of, by the cycles it takes longer."""

    def __init__(self, graph: Graph, found: Sequence[Sequence[tuple[int, Instruction]]]):
        self.pairs = [((much, _Pair.of(graph, long)), (little, _Pair.of(graph, short)))
                      for (much, long), (little, short) in zip(*found, strict=True)]
        self.trials = tuple(p.trial for both in self.pairs for _, p in both)

    def best(self, results: Sequence[Result]) -> Fraction:
        rates = [Fraction(0)]
        for number, ((much, long), (little, short)) in enumerate(self.pairs):
            one, two = results[2 * number:2 * number + 2]
            if len(one.outcomes[1].marks) > 1 and len(two.outcomes[1].marks) > 1 and long.interval(one) > short.interval(two):
                rates.append(Fraction(much - little, long.interval(one) - short.interval(two)))
        return max(rates)


def _carried(graph: Graph, unit: str, memory: str, write: bool, part: int) -> Iterator[tuple[int, Instruction]]:
    """Bytes, and the stream that carries them, for each way to use an edge."""
    names = set(graph.segment_names) if memory == "DRAM" else {memory}
    for m in (m for m in graph.mnemonics if m.unit == unit):
        for a in (a for a in accesses(m) if a.memory in names and a.write == write):
            for level, i in _streams(graph, m, chosen(a), part):
                if _looks_up(m, a):
                    out = next(o for o in accesses(m) if o.write and o.chosen(i.fields))
                    if any(n == level for _, n in out.terms):
                        yield out.span * i.fields[level], i
                elif any(n == level for _, n in a.terms):
                    steps = math.prod(i.fields[n] for _, n in a.terms)
                    yield a.span * steps, i


def _looks_up(m: Mnemonic, a: Access) -> bool:
    return any(isinstance(e, Lookup) and e.table.name == a.memory for e in walk(m.effect.expr))


# Multiplications.

def peak_check(graph: Graph, unit: Unit, attribute: str) -> Check:
    """Products that are summed, per cycle, of the best stream."""
    found: tuple[list, list] = [], []
    for m in (m for m in graph.mnemonics if m.unit == unit.name):
        sums = [e for e in walk(m.effect.expr) if isinstance(e, Reduce) and (e.op, getattr(e.body, "name", "")) == ("add", "mul")]
        small: dict[str, int] = {}
        for f in (f for f in map(m.field, m.extents) if f.high <= _SMALL):
            small = swept(m, small, f.name, f.high)
        for reduce_ in sums:
            for part, streams in enumerate(found, 1):
                for _, i in _streams(graph, m, small, part):
                    streams.append((math.prod(l.count(i.fields) for l in (*m.effect.loops, *reduce_.loops)), i))
    rates = _Rates(graph, found)

    def judge(results):
        best = rates.best(results)
        return f"{float(best):g}", best == unit.peak_macs_per_cycle

    return Check(attribute, f"{unit.peak_macs_per_cycle}", rates.trials, judge)
