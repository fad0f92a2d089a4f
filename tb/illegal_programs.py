"""Programs that break one promise each, with the error that hardware has promised for it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tenon.acg.encoding import Header
from tenon.acg.expr import Aff, Op, Val, walk
from tenon.acg.formula import evaluate, names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Access, EncodingError, Field, Mnemonic, accesses
from tenon.compiler.instruction import Instruction
from tenon.hw.registers import ErrorCode
from tenon.tb.random_programs import SEGMENT_BYTES, random_instruction, random_program

__all__ = ["NOWHERE", "IllegalProgram", "illegal_programs", "segment_programs"]

#: A DRAM address where no memory is.
NOWHERE = 0x9000_0000

_TRIES = 2000  # draws of random fields for one that has the wanted property


@dataclass(frozen=True)
class IllegalProgram:
    """One illegal program and its promised end.

    ``length``: what the host writes for the number of instructions; ``index``: least and most instructions that may
    have been dispatched before the error; ``unmapped``: DRAM segment that lies nowhere, if any; ``held``: instructions
    of the image that DRAM still holds, where the image is cut off by its end (all, if None).
    """

    name: str
    image: bytes
    length: int
    error: ErrorCode
    index: tuple[int, int]
    unmapped: str = ""
    held: int | None = None


def illegal_programs(graph: Graph, count: int, seed: int = 1) -> list[IllegalProgram]:
    """``count`` of them, kinds in turn: a small number has all kinds, a large one every field and every operand."""
    rng = random.Random(seed)
    kinds = [_opcodes, _fields, _rules, _addresses, _lengths, _tokens, _deadlocks, _transfers, segment_programs, _fetches]
    found: list[IllegalProgram] = []
    while len(found) < count:
        cases = [list(kind(graph, rng)) for kind in kinds]
        for group in cases:
            rng.shuffle(group)
        found += [case for case in itertools.chain.from_iterable(itertools.zip_longest(*cases)) if case]
    return found[:count]


def _around(graph: Graph, rng: random.Random, name: str, text: bytes, error: ErrorCode) -> IllegalProgram:
    """A legal program with the instruction ``text`` somewhere inside: nothing after it is dispatched."""
    program = random_program(graph, rng.getrandbits(32), length=12, work=100).instructions
    at = rng.randint(0, len(program))
    encoding = graph.sequencer.encoding
    image = encoding.image(program[:at])[:-encoding.bytes] + text + encoding.image(program[at:])
    return IllegalProgram(name, image, len(image) // encoding.bytes, error, (at, at))


def _random(graph: Graph, mnemonic: Mnemonic, rng: random.Random) -> Instruction:
    return random_instruction(graph, mnemonic, graph.memory_bytes, rng, 100)


def _opcodes(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    known = {m.opcode for m in graph.mnemonics} | {0}
    for opcode in set(range(1 << graph.sequencer.encoding.place("opcode")[1])) - known:
        text = bytes([opcode]) + rng.randbytes(graph.sequencer.encoding.bytes - 1)
        yield _around(graph, rng, f"opcode {opcode}", text, ErrorCode.OPCODE)


def _patched(text: bytes, offset: int, width: int, bits: int) -> bytes:
    word = int.from_bytes(text, "little") & ~((1 << width) - 1 << offset) | bits << offset
    return word.to_bytes(len(text), "little")


def _outside(f: Field, rng: random.Random) -> int | None:
    """Bits that no value of the field has: right beyond its range, or anywhere there."""
    if f.kind == "f32":
        return None
    values = [f.decode(bits) for bits in (0, (1 << f.width) - 1, 1 << f.width - 1, (1 << f.width - 1) - 1)]
    values += [f.low - 1, f.high + 1, rng.randint(min(values), max(values))]
    wrong = [v for v in values if not f.low <= v <= f.high and f.decode(f.encode(v)) == v]
    return f.encode(rng.choice(wrong)) if wrong else None


def _fields(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    for m in graph.mnemonics:
        for f, offset, width, _ in graph.sequencer.encoding.places(m):
            bits = _outside(f, rng)
            if bits is None:
                continue
            text = _patched(graph.sequencer.encoding.encode(m, _random(graph, m, rng).fields), offset, width, bits)
            try:
                graph.sequencer.encoding.decode(text, graph.mnemonics)
            except EncodingError:
                yield _around(graph, rng, f"{m.name}.{f.name} = {f.decode(bits)}", text, ErrorCode.FIELD)
            else:
                raise AssertionError(f"{m.name}.{f.name} takes a value outside its range")


def _rules(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    for m in graph.mnemonics:
        for rule in m.rules:
            fields = dict(_random(graph, m, rng).fields)
            for _ in range(_TRIES):
                if not evaluate(rule, fields):
                    yield _around(graph, rng, f"{m.name}: {rule}", graph.sequencer.encoding.encode(m, fields), ErrorCode.FIELD)
                    break
                for name in names(rule):
                    f = m.field(name)
                    fields[name] = rng.choice((f.low, f.low + 1, rng.randint(f.low, min(f.high, f.low + 300))))


def _addresses(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    """Every operand in every memory, one word beyond the last and one before the first."""
    for m in graph.mnemonics:
        for access in (a for a in accesses(m) if a.memory in graph.memory_bytes):
            for beyond in (True, False):
                fields = _moved_out(graph, m, access, beyond, rng)
                if fields:
                    where = f"{m.name} {'writes' if access.write else 'reads'} {access.memory} by {access.base}"
                    text = graph.sequencer.encoding.encode(m, fields)
                    yield _around(graph, rng, f"{where} one {'beyond' if beyond else 'before'}", text, ErrorCode.ADDRESS)


def _moved_out(graph: Graph, m: Mnemonic, access: Access, beyond: bool, rng: random.Random) -> dict[str, object] | None:
    for _ in range(60):
        fields = dict(_random(graph, m, rng).fields)
        fields.update({name: rng.choice(values) for name, values in access.conditions})
        low, high = access.corners(fields)
        last = graph.memory_bytes[access.memory] - access.span
        step = (last - (high - access.span + 1)) // access.unit + 1 if beyond else -(low // access.unit) - 1
        fields[access.base] = int(fields[access.base]) + step
        if m.field(access.base).low <= fields[access.base] <= m.field(access.base).high and all(evaluate(r, fields) for r in m.rules):
            assert m.violations(fields, graph.memory_bytes)
            return fields
    return None


def _lengths(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    image = graph.sequencer.encoding.image(random_program(graph, rng.getrandbits(32), length=12, work=100).instructions)
    count = len(image) // graph.sequencer.encoding.bytes - 1
    yield IllegalProgram("no END", image[:-graph.sequencer.encoding.bytes], count, ErrorCode.NO_END, (count, count))
    cut = rng.randint(1, count - 1)
    yield IllegalProgram("cut off before END", image, cut, ErrorCode.NO_END, (cut, cut))
    yield IllegalProgram("no instruction", image, 0, ErrorCode.NO_END, (0, 0))


def _tokens(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    """One token more than a counter holds, of each unit."""
    signals = graph.sequencer.token_limit + 1
    for unit in graph.units:
        m = rng.choice([m for m in graph.mnemonics if m.unit == unit.name])
        instruction = random_instruction(graph, m, graph.memory_bytes, rng, 8)
        token = 1 << rng.randrange(graph.sequencer.tokens)
        program = [replace(instruction, header=Header(release=token, done=token))] * -(-signals // 2)
        image = graph.sequencer.encoding.image(program)
        yield IllegalProgram(f"{unit.name} signals {signals} times", image, len(program) + 1, ErrorCode.TOKEN,
                             (len(program), len(program) + 1))


def _deadlocks(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    """An instruction of each unit waits for a token that nothing signals."""
    for unit in graph.units:
        program = [replace(i, header=Header()) for i in random_program(graph, rng.getrandbits(32), length=12, work=100).instructions]
        m = rng.choice([m for m in graph.mnemonics if m.unit == unit.name])
        waits = Header(waits=1 << rng.randrange(graph.sequencer.tokens))
        at = rng.randint(0, len(program))
        program.insert(at, replace(_random(graph, m, rng), header=waits))
        image = graph.sequencer.encoding.image(program)
        yield IllegalProgram(f"{unit.name} waits in vain", image, len(program) + 1, ErrorCode.DEADLOCK, (at + 1, len(program) + 1))


def _transfers(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    """Reads and writes of each segment where there is no memory."""
    for m in graph.mnemonics:
        for access in (a for a in accesses(m) if a.memory in graph.segment_names):
            while True:
                fields = _opened(m, {**_random(graph, m, rng).fields, **{name: values[0] for name, values in access.conditions}})
                low, high = access.corners(fields)
                if not m.violations(fields, graph.memory_bytes) and low >= 0 and high < SEGMENT_BYTES:
                    break
            program = random_program(graph, rng.getrandbits(32), length=12, work=100).instructions
            at = next((k for k, i in enumerate(program) if any(
                a.memory == access.memory and a.chosen(i.fields) for a in accesses(i.mnemonic))), len(program))
            image = graph.sequencer.encoding.image([*program[:at], Instruction(m, fields)])
            error = ErrorCode.STORE_BUS if access.write else ErrorCode.LOAD_BUS
            yield IllegalProgram(f"{m.name} {'writes' if access.write else 'reads'} {access.memory} where nothing is", image, at + 2,
                                 error, (at + 1, at + 2), unmapped=access.memory)


def segment_programs(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    """Accesses of each segment that go beyond its end, or begin before its start."""
    for m in graph.mnemonics:
        for access in (a for a in accesses(m) if a.memory in graph.segment_names):
            for beyond in (True, False):
                while True:
                    fields = _opened(m, {**_random(graph, m, rng).fields, **{name: values[0] for name, values in access.conditions}})
                    low, high = access.corners(fields)
                    fields[access.base] += SEGMENT_BYTES - high - 1 + rng.randint(1, 40) if beyond else -low - rng.randint(1, 40)
                    low, high = access.corners(fields)
                    # Reads are of whole words of the bus; so are segments.
                    if not m.violations(fields, graph.memory_bytes) and (high >= SEGMENT_BYTES if beyond else low < 0):
                        break
                image = graph.sequencer.encoding.image([Instruction(m, fields)])
                how = f"{m.name} {'writes' if access.write else 'reads'} {access.memory}"
                yield IllegalProgram(f"{how} {'beyond its end' if beyond else 'before its start'}", image, 2, ErrorCode.SEGMENT, (1, 2))


def _opened(m: Mnemonic, fields: dict[str, object]) -> dict[str, object]:
    """With every guard wide open."""
    fields = dict(fields)
    for guard in (e for e in walk(m.effect.expr) if isinstance(e, Op) and e.name == "within"):
        forms = [v.value for v in walk(guard.args[0]) if isinstance(v, Val) and isinstance(v.value, Aff)]
        fields.update({name: 0 for form in forms for (_, name), _ in form.terms if name})
        ((_, limit), _), = guard.args[1].value.terms
        fields[limit] = m.field(limit).high
    return fields


def _fetches(graph: Graph, rng: random.Random) -> Iterator[IllegalProgram]:
    # Without tokens: at the end of DRAM, where programs lie over each other, any instruction may follow any other.
    program = random_program(graph, rng.getrandbits(32), length=12, work=100).instructions
    image = graph.sequencer.encoding.image([replace(i, header=Header()) for i in program])
    count = len(image) // graph.sequencer.encoding.bytes
    for held in (0, rng.randint(1, count - 1)):
        yield IllegalProgram(f"{held} of {count} instructions in DRAM", image, count, ErrorCode.FETCH_BUS, (0, held), held=held)
