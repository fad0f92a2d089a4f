"""The static checker: what a legal program is, proved from the program's bytes alone.

A program is legal if it decodes and ends, every instruction obeys its mnemonic's rules and stays inside memories and
segments, writes distinct bytes that it does not read, and if tokens order it: each counter is signalled by one unit
in one way and awaited by one unit, its n-th wait comes after its n-th signal in the program (so no execution can
stop before the end), and any two accesses that conflict are ordered by waits (so all executions give one result).
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Mapping

import numpy as np

from tenon.acg.expr import Aff, Choose, Expr, Load, Nest, Op, Reduce, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import EncodingError, accesses
from tenon.compiler.instruction import Instruction

__all__ = ["IllegalProgram", "check_program", "decode_image"]

_ROWS = 256  # of a history, before what is over is forgotten for the first time
_EXHAUSTIVE = 1 << 20  # addresses that are compared one by one when strides do not stack


class IllegalProgram(ValueError):
    """What is wrong with a program; the message begins with the instruction's number."""

    def __init__(self, index: int, reason: str):
        super().__init__(f"instruction {index}: {reason}")
        self.index = index


def decode_image(graph: Graph, image: bytes) -> list[Instruction]:
    """The instructions before END.

    Raises
    ------
    IllegalProgram
        For what cannot be decoded, and if there is no END.
    """
    found: list[Instruction] = []
    encoding = graph.sequencer.encoding
    for at in range(0, len(image) // encoding.bytes * encoding.bytes, encoding.bytes):
        try:
            mnemonic, fields, header = encoding.decode(image[at:at + encoding.bytes], graph.mnemonics)
        except EncodingError as error:
            raise IllegalProgram(len(found), str(error)) from None
        if mnemonic is None:
            return found
        found.append(Instruction(mnemonic, fields, header))
    raise IllegalProgram(len(found), "the program has no END")


def check_program(graph: Graph, image: bytes, segment_bytes: Mapping[str, int]) -> None:
    """Raises IllegalProgram unless ``image`` is legal on ``graph`` with DRAM segments of the given sizes."""
    program = decode_image(graph, image)
    for k, instruction in enumerate(program):
        broken = instruction.mnemonic.violations(instruction.fields, graph.memory_bytes)
        if broken:
            raise IllegalProgram(k, "; ".join(broken))
        _check_distinct(k, instruction)
        _check_disjoint(k, instruction)
        _check_segments(k, instruction, segment_bytes)
    _check_order(graph, program, _known(graph, program))


# One instruction.

def _chosen(expr: Expr, fields: Mapping[str, object]) -> Expr:
    while isinstance(expr, Choose):
        expr = expr.alternatives[int(fields[expr.field])]
    return expr


def _check_distinct(k: int, instruction: Instruction) -> None:
    """Every step of the nest writes other bytes."""
    effect, fields = instruction.mnemonic.effect, instruction.fields
    target = _chosen(effect.destination, fields)
    size = {"u8": 1, "i8": 1, "i32": 4, "f32": 4}[target.operand.element]
    bound = target.address.bind(fields)
    steps = sorted((abs(bound.get(l.name, 0)), l.count(fields)) for l in effect.loops if l.count(fields) > 1)
    reach = size - 1
    for stride, count in steps:
        if stride <= reach:
            break
        reach += stride * (count - 1)
    else:
        return
    total = int(np.prod([c for _, c in steps], dtype=np.int64))
    if total <= _EXHAUSTIVE:
        addresses = np.zeros(1, np.int64)
        for stride, count in steps:
            addresses = (addresses[:, None] + np.arange(count) * stride).ravel()
        addresses.sort()
        if (np.diff(addresses) >= size).all():
            return
    raise IllegalProgram(k, f"{instruction.mnemonic.name} writes a byte of {target.operand.name} twice")


def _check_disjoint(k: int, instruction: Instruction) -> None:
    """What is written is not read, but for a word that is updated in place."""
    effect, fields = instruction.mnemonic.effect, instruction.fields
    target = _chosen(effect.destination, fields)
    chosen = [a for a in accesses(instruction.mnemonic) if a.chosen(fields)]
    (written,) = (a for a in chosen if a.write)
    low, high = written.corners(fields)
    for a in chosen:
        if a.meets(written):
            first, last = a.corners(fields)
            if first <= high and low <= last:
                raise IllegalProgram(k, f"{instruction.mnemonic.name} reads bytes of {target.operand.name} that it writes")


def _check_segments(k: int, instruction: Instruction, segment_bytes: Mapping[str, int]) -> None:
    """DRAM addresses inside the guards lie inside their segment."""
    effect, fields = instruction.mnemonic.effect, instruction.fields
    choices = tuple((name, int(fields[name])) for name in _choices(effect))
    for load, guards in _dram_accesses(effect, choices, frozenset(segment_bytes)):
        low, high = _clipped(effect, fields, load.address, [(form, limit.bind(fields).get("", 0)) for form, limit in guards])
        size = segment_bytes[load.operand.name]
        if low < 0 or high >= size:
            raise IllegalProgram(k, f"{instruction.mnemonic.name} touches bytes {low}..{high} of {load.operand.name}, "
                                    f"which has {size}")


@functools.lru_cache(maxsize=1 << 10)
def _choices(effect: Nest) -> frozenset[str]:
    """Fields that choose among alternatives."""
    return frozenset(e.field for top in (effect.destination, effect.expr) for e in walk(top) if isinstance(e, Choose))


@functools.lru_cache(maxsize=1 << 12)
def _dram_accesses(effect: Nest, choices: tuple[tuple[str, int], ...],
                   segments: frozenset[str]) -> list[tuple[Load, list[tuple[Aff, Aff]]]]:
    """Reads and writes of segments that are chosen, each with the guards it stands under: coordinate and limit."""
    found, fields = [], dict(choices)
    target = _chosen(effect.destination, fields)
    if target.operand.name in segments:
        found.append((target, []))

    def visit(expr: Expr, guards: list[tuple[Aff, Aff]]) -> None:
        expr = _chosen(expr, fields)
        if isinstance(expr, Op) and expr.name == "select":
            inside = [(Aff.of(_chosen(w.args[0], fields).value), Aff.of(_chosen(w.args[1], fields).value))
                      for w in walk(_only_chosen(expr.args[0], fields)) if isinstance(w, Op) and w.name == "within"]
            visit(expr.args[1], guards + inside)
            visit(expr.args[2], guards)
        elif isinstance(expr, Load):
            if expr.operand.name in segments:
                found.append((expr, guards))
        else:
            for child in expr.children:
                visit(child, guards)

    if any(isinstance(e, Load) and e.operand.name in segments for e in walk(effect.expr)):
        visit(effect.expr, [])
    return found


def _only_chosen(expr: Expr, fields) -> Expr:
    expr = _chosen(expr, fields)
    if isinstance(expr, Op):
        return Op(expr.name, tuple(_only_chosen(a, fields) for a in expr.args))
    assert not isinstance(expr, Reduce), "guards have no reductions"
    return expr


def _clipped(effect: Nest, fields, address: Aff, guards) -> tuple[int, int]:
    """Smallest and largest address where all guards hold; an empty range if they never do.

    The innermost loop, a run, is clipped arithmetically; the others are enumerated.
    """
    guards = [(form, limit) for form, limit in guards if not _holds(effect, fields, form, limit)]
    if not guards:
        return _corners(effect, fields, address)
    *outer, run = effect.loops
    extents = [l.count(fields) for l in outer]

    def steps(form: Aff) -> tuple[np.ndarray, int]:
        bound = form.bind(fields)
        total = np.full([1] * len(outer), bound.get("", 0), np.int64)
        for axis, l in enumerate(outer):
            along = np.arange(extents[axis], dtype=np.int64) * bound.get(l.name, 0)
            total = total + along.reshape([-1 if i == axis else 1 for i in range(len(outer))])
        return total, bound.get(run.name, 0)

    where, along = steps(address)
    low, high = np.zeros_like(where), np.full_like(where, run.count(fields) - 1)
    for form, limit in guards:
        at, step = steps(form)
        if step > 0:
            low, high = np.maximum(low, -(at // step)), np.minimum(high, (limit - 1 - at) // step)
        else:
            high = np.where((at >= 0) & (at < limit), high, -1)
    inside = high >= low
    if not inside.any():
        return 0, -1
    first, last = (where + low * along)[inside], (where + high * along)[inside]
    return int(min(first.min(), last.min())), int(max(first.max(), last.max()))


def _corners(effect: Nest, fields, form: Aff) -> tuple[int, int]:
    """Smallest and largest value of a form."""
    bound = form.bind(fields)
    reaches = [bound.get(l.name, 0) * (l.count(fields) - 1) for l in effect.loops]
    base = bound.get("", 0)
    return base + sum(min(r, 0) for r in reaches), base + sum(max(r, 0) for r in reaches)


def _holds(effect: Nest, fields, form: Aff, limit: int) -> bool:
    """Whether a guard lets everything pass."""
    low, high = _corners(effect, fields, form)
    return low >= 0 and high < limit


# Tokens.

def _known(graph: Graph, program: list[Instruction]) -> list[dict[tuple[str, str], int]]:
    """For each instruction, how many of each unit's are known released and done when it begins."""
    signals: dict[int, list[tuple[int, str]]] = {}
    users: dict[int, set[tuple[str, str]]] = {}
    numbers: list[int] = []
    counts: dict[str, int] = {}
    known: list[dict[tuple[str, str], int]] = []
    latest: dict[str, dict[tuple[str, str], int]] = {}
    taken: dict[int, int] = {}
    awaiting: dict[int, str] = {}
    queue = graph.sequencer.queue_depth + 1
    for k, instruction in enumerate(program):
        unit, header = instruction.mnemonic.unit, instruction.header
        counts[unit] = counts.get(unit, 0) + 1
        numbers.append(counts[unit])
        clock = dict(latest.get(unit, {}))
        for token in _bits(header.waits):
            n = taken[token] = taken.get(token, 0) + 1
            if awaiting.setdefault(token, unit) != unit:
                raise IllegalProgram(k, f"{unit} waits for token {token}, which {awaiting[token]} waits for too")
            given = signals.get(token, [])
            if len(given) < n:
                raise IllegalProgram(k, f"{unit} waits for token {token} more often than anything before it signals it")
            j, kind = given[n - 1]
            clock = {key: max(clock.get(key, 0), known[j].get(key, 0)) for key in clock.keys() | known[j].keys()}
            producer = program[j].mnemonic.unit
            for what in ("release", "done")[:2 if kind == "done" else 1]:
                clock[producer, what] = max(clock.get((producer, what), 0), numbers[j])
        known.append(clock)
        latest[unit] = clock
        for kind, mask in (("release", header.release), ("done", header.done)):
            for token in _bits(mask):
                signals.setdefault(token, []).append((k, kind))
                users.setdefault(token, set()).add((unit, kind))
                if len(users[token]) > 1:
                    raise IllegalProgram(k, f"token {token} is signalled by {' and '.join(sorted(map(' '.join, users[token])))}")
                if len(signals[token]) - taken.get(token, 0) + queue > graph.sequencer.token_limit:
                    raise IllegalProgram(k, f"token {token} can be signalled more than {graph.sequencer.token_limit} times ahead")
    return known


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _check_order(graph: Graph, program: list[Instruction], known) -> None:
    """Every two accesses of the same bytes, one of them a write, are ordered."""
    ordered = {u.name: set(u.ordered) for u in graph.units}
    units = {u.name: i for i, u in enumerate(graph.units)}
    history: dict[str, _History] = {}
    numbers: dict[str, int] = {}
    finished, read = (np.array([[clock.get((u, what), 0) for u in units] for clock in known]) for what in ("done", "release"))
    places: dict[str, list[int]] = {}
    for k, instruction in enumerate(program):
        places.setdefault(instruction.mnemonic.unit, []).append(k)
    for k, instruction in enumerate(program):
        unit = instruction.mnemonic.unit
        numbers[unit] = numbers.get(unit, 0) + 1
        done, released = finished[k], read[k]
        mine = [(a.memory, *a.corners(instruction.fields), a.write) for a in accesses(instruction.mnemonic)
                if a.chosen(instruction.fields)]
        for memory, low, high, write in mine:
            table = history.get(memory)
            if table is None:
                continue
            past = table.meeting(low, high, done)
            if not len(past):
                continue
            theirs, number, wrote = past[:, 2], past[:, 3], past[:, 4] == 1
            own = theirs == units[unit]
            # An earlier result must be visible, or kept in order by the unit; an earlier read must be over.
            raw = wrote & (~own | (not write and memory not in ordered[unit]))
            war = ~wrote & write & (released[theirs] < number) & ~own
            bad = raw | war
            if bad.any():
                j = int(past[np.argmax(bad), 5])
                verb = "writes" if write else "reads"
                raise IllegalProgram(k, f"{unit} {verb} bytes of {memory} that instruction {j} "
                                        f"({program[j].mnemonic.name}) may still be using")
        for memory, low, high, write in mine:
            table = history.setdefault(memory, _History())
            if table.full:  # what each unit's next one knows to be done conflicts with nothing to come: knowledge only grows
                coming = [own[at] for own in places.values() if (at := bisect.bisect(own, k)) < len(own)]
                table.forget(finished[coming or [k]].min(axis=0))
            table.add(low, high, units[unit], numbers[unit], int(write), k)


class _History:
    """Rows of integers that grow."""

    def __init__(self) -> None:
        self.rows = np.empty((_ROWS, 6), np.int64)
        self.count = 0

    @property
    def full(self) -> bool:
        return self.count == len(self.rows)

    def meeting(self, low: int, high: int, done: np.ndarray) -> np.ndarray:
        """Those of ranges that share a byte with ``low..high``, but of the first ``done`` of each unit."""
        past = self.rows[:self.count]
        return past[(past[:, 0] <= high) & (past[:, 1] >= low) & (past[:, 3] > done[past[:, 2]])]

    def forget(self, done: np.ndarray) -> None:
        """Makes room: the first ``done`` of each unit go."""
        past = self.rows[:self.count]
        kept = past[past[:, 3] > done[past[:, 2]]]
        if 2 * len(kept) > len(self.rows):
            self.rows = np.empty((2 * len(self.rows), 6), np.int64)
        self.rows[:len(kept)], self.count = kept, len(kept)

    def add(self, *row: int) -> None:
        self.rows[self.count] = row
        self.count += 1
