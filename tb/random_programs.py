"""Random legal programs out of a covenant's mnemonics: no compiler has a say in what they do.

Instructions have random fields; who must wait for whom follows from the bytes they touch, and tokens beyond that are
thrown in. What the static checker does not prove free of deadlock and of races is not used.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tenon.acg.encoding import Header
from tenon.acg.expr import Aff, Choose, Load, Op, Val, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.acg.random_fields import random_fields
from tenon.compiler.checker import IllegalProgram, check_program
from tenon.compiler.errors import CompileError
from tenon.compiler.hazards import dependences
from tenon.compiler.instruction import Instruction
from tenon.compiler.tokens import place_tokens

__all__ = ["SEGMENT_BYTES", "RandomProgram", "random_instruction", "random_program", "small_parameters", "unreached"]

#: Bytes of every DRAM segment of a random program.
SEGMENT_BYTES = 4096

_CROWDED = 8  # a crowded program keeps to one part in so many of each memory
_SMALL = 16  # one part in so many of PAR holds zero-points


@dataclass(frozen=True)
class RandomProgram:
    """A legal program, by its seed."""

    seed: int
    instructions: tuple[Instruction, ...]
    dependences: int  # between its instructions, before those that others imply are left out


def random_program(graph: Graph, seed: int, *, length: int = 24, work: int = 400) -> RandomProgram:
    """The legal program of ``seed``: ``length`` instructions at most, of ``work`` steps each at most."""
    rng = random.Random(seed)
    while True:
        units = rng.sample([u.name for u in graph.units], rng.randint(2, len(graph.units)))
        mnemonics = [m for m in graph.mnemonics if m.unit in units]
        sizes = _room(graph, rng)
        body: list[Instruction] = []
        for _ in range(rng.randint(length // 2, length)):
            instruction = random_instruction(graph, rng.choice(mnemonics), sizes, rng, work)
            body.append(_aimed(graph, instruction, rng.choice(body[-3:]), rng) if body and rng.random() < 0.5 else instruction)
        try:
            program = place_tokens(graph, body)
        except CompileError:  # more pairs of units depend on each other than there are counters
            continue
        program = _marked(graph, _renumbered(graph, program, rng), rng)
        for _ in range(4):
            more = _more_tokens(graph, program, rng)
            if _legal(graph, more):
                return RandomProgram(seed, tuple(more), sum(1 for _ in dependences(graph, body)))


def small_parameters(graph: Graph) -> int:
    """Words at the start of PAR that hold numbers in 0..127, and keep them: zero-points of columns come from there.

    What a column's zero-point may be is a matter of data: of its word, hardware takes as many bits as an operand has.
    """
    return graph.memory("PAR").words // _SMALL


def _room(graph: Graph, rng: random.Random) -> dict[str, int]:
    """How much of each memory a program uses: in a crowded one, everybody is in everybody's way."""
    if rng.random() < 0.5:
        return graph.memory_bytes
    return {m.name: m.word_bytes * max(m.words // _CROWDED, min(m.words, 16)) for m in graph.memories if m.name in graph.memory_bytes}


def random_instruction(graph: Graph, mnemonic: Mnemonic, sizes: Mapping[str, int], rng: random.Random, work: int,
                       plain: float = 0.0) -> Instruction:
    """A legal instruction inside ``sizes`` bytes of each on-chip memory, with no tokens.

    ``plain``: share of instructions in which most choices are the first one, so that less of what others do is hidden.
    """
    while True:
        fields = random_fields(mnemonic, sizes | dict.fromkeys(graph.segment_names, SEGMENT_BYTES), rng, work=work)
        if plain and rng.random() < plain:
            fields = _plainer(mnemonic, fields, rng)
        if rng.random() < 0.25:
            fields = _padded(mnemonic, fields, graph, rng)
        for a in accesses(mnemonic):
            if a.memory == "PAR" and a.base == "z":
                fields = {**fields, "z": fields["z"] - a.corners(fields)[0] // a.unit}
        instruction = Instruction(mnemonic, fields)
        if _keeps_parameters(graph, instruction) and _legal(graph, [instruction]):
            return instruction


def _plainer(mnemonic: Mnemonic, fields: Mapping[str, object], rng: random.Random) -> Mapping[str, object]:
    """The same with first choices for all but one, and few others, and of where results go; half of them clamp late."""
    targets = {e.field for e in walk(mnemonic.effect.destination) if isinstance(e, Choose)}
    choices = [f.name for f in mnemonic.fields if f.kind == "enum" and f.name not in targets]
    kept = rng.choice(choices) if choices else ""
    plain: dict[str, object] = {name: 0 for name in choices if name != kept and rng.random() < 0.8}
    if rng.random() < 0.5:
        for clamp in (e for e in walk(mnemonic.effect.expr) if isinstance(e, Op) and e.name == "clamp"):
            (((_, low), _),), (((_, high), _),) = (limit.value.terms for limit in clamp.args[1:])
            plain |= {low: mnemonic.field(low).low, high: mnemonic.field(high).high}
    return {**fields, **plain}


def _aimed(graph: Graph, instruction: Instruction, former: Instruction, rng: random.Random) -> Instruction:
    """The same, but that one of its operands begins where one of ``former`` does, if there is such a place."""
    pairs = [(a, b) for a in accesses(instruction.mnemonic) if a.chosen(instruction.fields)
             for b in accesses(former.mnemonic) if b.chosen(former.fields) and a.memory == b.memory and (a.write or b.write)]
    for mine, theirs in rng.sample(pairs, len(pairs)):
        far = theirs.corners(former.fields)[0] - mine.corners(instruction.fields)[0]
        fields = {**instruction.fields, mine.base: instruction.fields[mine.base] + far // mine.unit}
        moved = replace(instruction, fields=fields)
        f = instruction.mnemonic.field(mine.base)
        if f.low <= fields[mine.base] <= f.high and _keeps_parameters(graph, moved) and _legal(graph, [moved]):
            return moved
    return instruction


def _keeps_parameters(graph: Graph, instruction: Instruction) -> bool:
    """Whether columns' zero-points come from the small parameters, and nothing is written there."""
    small = small_parameters(graph) * graph.memory("PAR").word_bytes
    for a in accesses(instruction.mnemonic):
        if a.memory == "PAR" and a.chosen(instruction.fields):
            low, high = a.corners(instruction.fields)
            if a.write and low < small or a.base == "z" and high >= small:
                return False
    return True


def _padded(mnemonic: Mnemonic, fields: Mapping[str, object], graph: Graph, rng: random.Random) -> Mapping[str, object]:
    """Where a guard's coordinate steps as a DRAM address does: both are made the same, and the segment is the guard.

    So the address may lie around the segment's ends, and what would be read out there must never be asked for.
    """
    segment = next((e for e in walk(mnemonic.effect.expr) if isinstance(e, Load) and e.operand.name in graph.segment_names), None)
    for guard in (e for e in walk(mnemonic.effect.expr) if segment and isinstance(e, Op) and e.name == "within"):
        slot = guard.args[0]
        for choice, value in enumerate(slot.alternatives if isinstance(slot, Choose) else (slot,)):
            if not (isinstance(value, Val) and isinstance(value.value, Aff) and value.value.loops == segment.address.loops):
                continue
            theirs = {l: name for (l, name), _ in segment.address.terms if name}
            pairs = [(name, theirs[l]) for (l, name), _ in value.value.terms if name]
            ((_, limit), _), = guard.args[1].value.terms
            moved = {**fields, theirs[""]: rng.choice((0, SEGMENT_BYTES)) + rng.randint(-200, 100), limit: SEGMENT_BYTES}
            moved |= {mine: moved[other] for mine, other in pairs}
            if isinstance(slot, Choose):
                moved[slot.field] = choice
            if all(mnemonic.field(mine).low <= moved[mine] <= mnemonic.field(mine).high for mine, _ in pairs):
                return moved
    return fields


def _legal(graph: Graph, instructions: Sequence[Instruction]) -> bool:
    try:
        check_program(graph, graph.sequencer.encoding.image(instructions), dict.fromkeys(graph.segment_names, SEGMENT_BYTES))
    except IllegalProgram:
        return False
    return True


# Headers.

def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _renumbered(graph: Graph, program: Sequence[Instruction], rng: random.Random) -> list[Instruction]:
    """The same with other tokens."""
    numbers = rng.sample(range(graph.sequencer.tokens), graph.sequencer.tokens)

    def other(mask: int) -> int:
        return sum(1 << numbers[i] for i in _bits(mask))

    return [replace(i, header=Header(other(i.header.waits), other(i.header.release), other(i.header.done))) for i in program]


def _marked(graph: Graph, program: Sequence[Instruction], rng: random.Random) -> list[Instruction]:
    return [replace(i, header=replace(i.header, mark=rng.randrange(1, graph.sequencer.marks) if rng.random() < 0.3 else 0))
            for i in program]


def _more_tokens(graph: Graph, program: Sequence[Instruction], rng: random.Random) -> list[Instruction]:
    """Waits that nothing asks for, on tokens that are free; some are signalled more often than awaited."""
    used = 0
    for i in program:
        used |= i.header.waits | i.header.release | i.header.done
    free = [t for t in range(graph.sequencer.tokens) if not used >> t & 1]
    units = sorted({i.mnemonic.unit for i in program})
    program = list(program)
    for token in rng.sample(free, min(len(free), rng.randint(0, 4))):
        producer, consumer, kind = rng.choice(units), rng.choice(units), rng.choice(("release", "done"))
        ahead = 0
        for k, i in enumerate(program):
            header = i.header
            if i.mnemonic.unit == consumer and ahead and rng.random() < 0.6:
                header, ahead = replace(header, waits=header.waits | 1 << token), ahead - 1
            if i.mnemonic.unit == producer and rng.random() < 0.5:
                header, ahead = replace(header, **{kind: getattr(header, kind) | 1 << token}), ahead + 1
            program[k] = replace(i, header=header)
    return program


# What a set of programs meets.

def unreached(graph: Graph, programs: Sequence[RandomProgram]) -> list[str]:
    """What none of ``programs`` does, of all that a covenant's data say an instruction can do."""
    seen = Counter()
    ends: dict[str, list[int]] = {}
    for program in programs:
        seen["dependences"] += program.dependences
        for i in program.instructions:
            _note(graph, i, seen, ends)
    wanted = {"dependences": 4 * len(programs), "several waits in one instruction": 1}
    wanted |= {f"token {t}": 1 for t in range(graph.sequencer.tokens)}
    for m in graph.mnemonics:
        wanted |= {m.name: 1, f"{m.name}: three levels": 1, **{f"{m.unit} signals {kind}": 1 for kind in ("release", "done")}}
        for f in m.fields:
            if f.kind == "enum":
                wanted |= {f"{m.name}.{f.name} = {choice}": 1 for choice in f.choices}
            elif f.low == 1:
                wanted[f"{m.name}.{f.name} > 1"] = 1
        for a in accesses(m):
            wanted |= {f"{m.name}.{s} {sign}": 1 for s, _ in a.terms if isinstance(s, str) for sign in "+-"}
            wanted[f"{m.name} {'writes' if a.write else 'reads'} {a.memory}"] = 1
    missing = [what for what, least in wanted.items() if seen[what] < least]
    missing += [f"an end of {name}" for name, size in graph.memory_bytes.items() if ends.get(name) != [0, size - 1]]
    return missing


def _note(graph: Graph, i: Instruction, seen: Counter, ends: dict[str, list[int]]) -> None:
    m, env = i.mnemonic, i.fields
    waits = _bits(i.header.waits)
    seen.update([m.name, *(f"token {t}" for t in waits)])
    seen.update(f"{m.unit} signals {kind}" for kind in ("release", "done") if getattr(i.header, kind))
    seen["several waits in one instruction"] += len(waits) > 1
    levels = [f.name for f in m.fields if f.low == 1 and env[f.name] > 1]
    seen.update(f"{m.name}.{name} > 1" for name in levels)
    seen[f"{m.name}: three levels"] += len(levels) > 2
    seen.update(f"{m.name}.{f.name} = {f.choices[int(env[f.name])]}" for f in m.fields if f.kind == "enum")
    for a in accesses(m):
        if a.chosen(env):
            seen[f"{m.name} {'writes' if a.write else 'reads'} {a.memory}"] += 1
            seen.update(f"{m.name}.{s} {'+' if env[s] > 0 else '-'}" for s, n in a.terms
                        if isinstance(s, str) and env[n] > 1 and env[s])
            low, high = a.corners(env)
            known = ends.setdefault(a.memory, [low, high])
            known[:] = min(known[0], low), max(known[1], high)
