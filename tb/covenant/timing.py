"""Cycles: what instructions cost, what edges carry, what units multiply."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from acg.expr import Lookup, Reduce, walk
from acg.graph import Edge, Graph, Unit
from acg.mnemonic import Access, Mnemonic, accesses
from acg.random_fields import random_fields
from compiler.instruction import Instruction
from hw.registers import ErrorCode
from tb.covenant.claim import Check
from tb.covenant.stimuli import DONE, chosen, extents, gate, image, instruction, opened, room, scratch, swept, with_header
from tb.covenant.trial import DRAM_LATENCY, Program, Result, Trial

__all__ = ["cost_checks", "edge_checks", "peak_check"]

_QUIET = 600  # cycles after which everything is fetched
_STEPS, _BYTES = 256, 4096  # of a stream, and of one run of bytes
_RANDOM = 10  # instructions with random fields
_SEGMENT = 1 << 14


@dataclass(frozen=True)
class _Pair:
    """An instruction by itself, and twice in a row, on a machine that is otherwise idle."""

    instruction: Instruction
    trial: Trial

    @classmethod
    def of(cls, graph: Graph, i: Instruction) -> _Pair:
        open_ = gate(graph, i.mnemonic.unit, _QUIET)
        first, again = with_header(i, waits=DONE, mark=1), with_header(i, mark=2)
        return cls(i, Trial(tuple(Program(image([open_, *body]), scratch(graph)) for body in ([first], [first, again]))))

    def busy(self, result: Result) -> int:
        """Cycles from its begin to its end."""
        return result.outcomes[0].counters[f"{self.instruction.mnemonic.unit}_BUSY"]

    def interval(self, result: Result) -> int:
        """Cycles from the end of the first to the end of the second."""
        return result.outcomes[1].marks[1].cycle - result.outcomes[1].marks[0].cycle

    def cost(self, what: str) -> int:
        m = self.instruction.mnemonic
        return m.evaluate(what, self.instruction.fields) if what in m.cost else 0


def _moves(graph: Graph, m: Mnemonic) -> bool:
    """Whether it goes to DRAM."""
    return any(a.memory not in graph.memory_bytes for a in accesses(m))


def _streams(graph: Graph, m: Mnemonic, given: dict[str, int]) -> Iterator[tuple[str, int, Instruction]]:
    """Level, steps and instruction for each level that can go on and on."""
    for level in extents(m):
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
        yield level, fields[level], instruction(m, fields)


def _random(graph: Graph, m: Mnemonic) -> Iterator[Instruction]:
    rng = random.Random(m.name)
    sizes = graph.memory_bytes | dict.fromkeys(graph.segments, _SEGMENT)
    for _ in range(_RANDOM):
        yield instruction(m, random_fields(m, sizes, rng, work=_STEPS))


# Costs.

def cost_checks(graph: Graph, m: Mnemonic, attribute: str) -> Iterator[Check]:
    """Each term of ``m.cost``.

    ``occupancy`` is the distance of an instruction from another like it, of streams and, but for transfers (whose words
    may be cut in two), of random instructions. Busy from its begin to its end, an instruction takes ``fill``,
    occupancy and ``latency``; less if its last tile is a short one.
    """
    streams = [_Pair.of(graph, i) for _, _, i in _streams(graph, m, {})]
    others = [_Pair.of(graph, i) for i in _random(graph, m)]
    pairs = streams + others
    trials = tuple(p.trial for p in pairs)
    wait = DRAM_LATENCY if _moves(graph, m) else 0

    def ends(results: Sequence[Result]) -> str | None:
        bad = [o for r in results for o in r.outcomes if o.stuck or o.error is not ErrorCode.NONE]
        return f"ends with {bad[0].error.name}" if bad else None

    def occupancy(results):
        if wrong := ends(results):
            return wrong, False
        for p, r in zip(pairs, results, strict=True):
            seen, said = p.interval(r), p.cost("occupancy")
            if seen < said or (seen > said and (p in streams or not _moves(graph, m)) and said > _LEAST_INTERVAL):
                levels = ", ".join(f"{n}={p.instruction.fields[n]}" for n in extents(m) if p.instruction.fields[n] > 1)
                return f"{seen}, not {said} cycles ({levels})", False
        return f"as promised, {len(pairs)} instructions", True

    def beyond(results):
        if wrong := ends(results):
            return wrong, False
        of_streams = max(p.busy(r) - p.cost("occupancy") - wait for p, r in zip(streams, results, strict=False))
        said = streams[0].cost("fill") + streams[0].cost("latency")
        return f"{of_streams} cycles", of_streams == said

    for what, formula in m.cost.items():
        if what == "occupancy":
            yield Check(f"{attribute}.{what}", formula, trials, occupancy)
        elif what in ("fill", "latency"):
            together = " and ".join(t for t in ("fill", "latency") if t in m.cost)
            yield Check(f"{attribute}.{what}", f"{formula} ({together} {sum(streams[0].cost(t) for t in ('fill', 'latency'))})",
                        trials, beyond)


_LEAST_INTERVAL = 64  # of short instructions, the one after next may have to wait for a place


# Edges.

def edge_checks(graph: Graph, edge: Edge) -> Iterator[Check]:
    """Bytes per cycle of the best stream over an edge, and its longest burst."""
    name = f"edges.{edge.src}-{edge.dst}"
    units = {u.name for u in graph.units}
    unit, memory, write = (edge.src, edge.dst, True) if edge.src in units else (edge.dst, edge.src, False)
    found = list(_carried(graph, unit, memory, write))
    pairs = [_Pair.of(graph, i) for _, i in found]
    trials = tuple(p.trial for p in pairs)

    def rate(results):
        best = _best([size for size, _ in found], pairs, results)
        return f"{float(best):g}", best == Fraction(edge.bytes_per_cycle)

    def burst(results):
        beats = max((b.beats for r in results for o in r.outcomes for b in o.bursts if b.write == write), default=0)
        return f"{beats * graph.bus_bytes}", beats * graph.bus_bytes == edge.burst_bytes

    yield Check(f"{name}.bytes_per_cycle", f"{edge.bytes_per_cycle:g}", trials, rate)
    yield Check(f"{name}.burst_bytes", f"{edge.burst_bytes}", trials if memory == "DRAM" else (), burst)


def _best(amounts: Sequence[int], pairs: Sequence[_Pair], results: Sequence[Result]) -> Fraction:
    """Most of an amount per cycle."""
    return max((Fraction(amount, p.interval(r)) for amount, p, r in zip(amounts, pairs, results, strict=True)
                if len(r.outcomes[1].marks) > 1), default=Fraction(0))


def _carried(graph: Graph, unit: str, memory: str, write: bool) -> Iterator[tuple[int, Instruction]]:
    """Bytes, and the stream that carries them, for each way to use an edge."""
    names = set(graph.segments) if memory == "DRAM" else {memory}
    for m in (m for m in graph.mnemonics if m.unit == unit):
        for a in (a for a in accesses(m) if a.memory in names and a.write == write):
            for level, count, i in _streams(graph, m, chosen(a)):
                if _looks_up(m, a):
                    out = next(o for o in accesses(m) if o.write and o.chosen(i.fields))
                    if any(n == level for _, n in out.terms):
                        yield out.span * count, i
                elif any(n == level for _, n in a.terms):
                    steps = math.prod(i.fields[n] for _, n in a.terms)
                    yield a.span * steps, i


def _looks_up(m: Mnemonic, a: Access) -> bool:
    return any(isinstance(e, Lookup) and e.table.name == a.memory for e in walk(m.effect.expr))


# Multiplications.

def peak_check(graph: Graph, unit: Unit, attribute: str) -> Check:
    """Products that are summed, per cycle, of the best stream."""
    found = []
    for m in (m for m in graph.mnemonics if m.unit == unit.name):
        sums = [e for e in walk(m.effect.expr) if isinstance(e, Reduce) and (e.op, getattr(e.body, "name", "")) == ("add", "mul")]
        for reduce_ in sums:
            loops = (*m.effect.loops, *reduce_.loops)
            for _, _, i in _streams(graph, m, {}):
                found.append((math.prod(l.count(i.fields) for l in loops), _Pair.of(graph, i)))

    def judge(results):
        best = _best([macs for macs, _ in found], [p for _, p in found], results)
        return f"{float(best):g}", best == unit.peak_macs_per_cycle

    return Check(attribute, f"{unit.peak_macs_per_cycle}", tuple(p.trial for _, p in found), judge)
