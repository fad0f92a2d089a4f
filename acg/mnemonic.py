"""Mnemonics: an instruction's fields, encoding, effect, legality and cost, stated once."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default

from acg.expr import Choose, Expr, Load, Lookup, Nest, Reduce

__all__ = ["ELEMENT_BYTES", "HEADER", "INSTRUCTION_BITS", "INSTRUCTION_BYTES", "Access", "EncodingError", "Field", "Header", "Mnemonic",
           "accesses", "decode", "encode", "extent", "integer", "option", "real", "stride"]

INSTRUCTION_BITS = 1024
INSTRUCTION_BYTES = INSTRUCTION_BITS // 8

#: Fields common to all instructions, outside every effect: name to (offset, width). ``waits`` consumes tokens,
#: ``release`` and ``done`` are signalled when operands have been read and when results are visible.
HEADER: dict[str, tuple[int, int]] = {
    "opcode": (0, 4), "waits": (4, 16), "release": (20, 16), "done": (36, 16), "mark": (52, 12),
}
_HEADER_BITS = 64

#: Bytes of one element of each type.
ELEMENT_BYTES = {"u8": 1, "i8": 1, "i32": 4, "f32": 4}


class EncodingError(ValueError):
    """A field's value outside its range; the message names mnemonic, field, rule and value."""


@dataclass(frozen=True)
class Field:
    """An integer in ``low..high`` (encoded as its distance from a positive ``low``, in two's complement from a
    negative one), an ``enum`` (its index), or a ``f32`` (its bits). ``low`` of an extent is 1."""

    name: str
    low: int
    high: int
    kind: str = "int"
    choices: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        if self.kind == "f32":
            return 32
        if self.low < 0:
            return 1 + max((-self.low - 1).bit_length(), self.high.bit_length())
        return max((self.high - self.low).bit_length(), 1)

    @property
    def signed(self) -> bool:
        return self.kind != "f32" and self.low < 0

    def check(self, value, owner: str) -> None:
        if self.kind == "f32":
            float(value)
        elif not self.low <= int(value) <= self.high:
            rule = f"one of {', '.join(self.choices)}" if self.choices else f"in {self.low}..{self.high}"
            raise EncodingError(f"{owner}.{self.name} must be {rule}, not {value}")

    def encode(self, value) -> int:
        """Bits of ``value``: an int, the name of a choice, or a float."""
        if self.kind == "f32":
            return struct.unpack("<I", struct.pack("<f", value))[0]
        if isinstance(value, str):
            value = self.choices.index(value)
        return (int(value) - max(self.low, 0)) & ((1 << self.width) - 1)

    def decode(self, bits: int):
        if self.kind == "f32":
            return struct.unpack("<f", struct.pack("<I", bits))[0]
        if self.signed and bits >> (self.width - 1):
            bits -= 1 << self.width
        return bits + max(self.low, 0)


def integer(name: str, low: int, high: int) -> Field:
    return Field(name, low, high)


def extent(name: str) -> Field:
    """A level's number of steps."""
    return Field(name, 1, 1 << 16)


def stride(name: str, bits: int = 16) -> Field:
    return Field(name, -(1 << bits - 1), (1 << bits - 1) - 1)


def option(name: str, *choices: str) -> Field:
    return Field(name, 0, len(choices) - 1, "enum", choices)


def real(name: str) -> Field:
    return Field(name, 0, 0, "f32")


@dataclass(frozen=True)
class Header:
    """What the sequencer does with an instruction: masks of tokens, and a time stamp's index."""

    waits: int = 0
    release: int = 0
    done: int = 0
    mark: int = 0


@dataclass(frozen=True)
class Access:
    """A read or write of memory: bytes ``unit * (base + sum of stride * step) + 0 .. span - 1``.

    ``terms`` pairs a stride (field name, or a constant) with an extent field; ``conditions`` are the choices
    (field, values), all to hold, under which the access happens.
    """

    memory: str
    unit: int
    base: str
    terms: tuple[tuple[str | int, str], ...]
    span: int
    conditions: tuple[tuple[str, tuple[int, ...]], ...]
    write: bool

    def chosen(self, env: Mapping[str, object]) -> bool:
        return all(int(env[f]) in values for f, values in self.conditions)

    def corners(self, env: Mapping[str, object]) -> tuple[int, int]:
        """First and last byte touched."""
        low = high = int(env[self.base])
        for s, n in self.terms:
            reach = (int(env[s]) if isinstance(s, str) else s) * (int(env[n]) - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        return low * self.unit, high * self.unit + self.span - 1


@dataclass(frozen=True)
class Mnemonic:
    """One instruction of one unit.

    ``cost`` maps ``occupancy`` (cycles until the engine can begin its next instruction), ``release`` and
    ``latency`` (cycles from the last issue to the last visible result) to expressions in Python's syntax over
    the fields, with ``max`` and ``min``. ``rules`` are predicates in the same syntax.
    """

    name: str
    opcode: int
    unit: str
    fields: tuple[Field, ...]
    effect: Nest
    cost: Mapping[str, str] = default(default_factory=dict)
    rules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bits = _HEADER_BITS + sum(f.width for f in self.fields)
        if bits > INSTRUCTION_BITS:
            raise ValueError(f"{self.name} has {bits} bits, more than {INSTRUCTION_BITS}")

    def layout(self) -> Iterator[tuple[Field, int, int, bool]]:
        """Each field with its bit offset, width and signedness."""
        offset = _HEADER_BITS
        for f in self.fields:
            yield f, offset, f.width, f.signed
            offset += f.width

    def field(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)

    def complete(self, values: Mapping[str, object]) -> dict[str, object]:
        """``values`` with choices as numbers, and what is not given: extents 1, numbers 0, first choices.

        Raises
        ------
        EncodingError
            For an unknown field or a value outside its range.
        """
        names = {f.name for f in self.fields}
        for name in values:
            if name not in names:
                raise EncodingError(f"{self.name} has no field {name!r}")
        full: dict[str, object] = {}
        for f in self.fields:
            value = values.get(f.name, 0.0 if f.kind == "f32" else max(f.low, 0))
            if isinstance(value, str):
                if value not in f.choices:
                    raise EncodingError(f"{self.name}.{f.name} must be one of {', '.join(f.choices)}, not {value!r}")
                value = f.choices.index(value)
            f.check(value, self.name)
            full[f.name] = float(value) if f.kind == "f32" else int(value)
        return full

    def evaluate(self, what: str, env: Mapping[str, object]) -> int:
        """Value of cost ``what`` for complete fields ``env``."""
        return int(_evaluate(self.cost[what], env))

    def violations(self, env: Mapping[str, object], memory_bytes: Mapping[str, int]) -> list[str]:
        """Rules that complete fields break: predicates, and corners outside the memories that are listed."""
        broken = [f"{self.name}: {rule}" for rule in self.rules if not _evaluate(rule, env)]
        for a in accesses(self):
            if a.memory in memory_bytes and a.chosen(env):
                low, high = a.corners(env)
                if low < 0 or high >= memory_bytes[a.memory]:
                    verb = "writes" if a.write else "reads"
                    broken.append(f"{self.name} {verb} {a.memory} bytes {low}..{high} of {memory_bytes[a.memory]}")
        return broken


def _evaluate(expression: str, env: Mapping[str, object]):
    # Expressions come from a covenant's file: names of fields, max and min are all they can see.
    return eval(compile(expression, "<covenant>", "eval"), {"__builtins__": {}, "max": max, "min": min}, dict(env))


def encode(mnemonic: Mnemonic, values: Mapping[str, object], header: Header = Header()) -> bytes:
    """One instruction of ``INSTRUCTION_BYTES`` bytes, little endian."""
    word = mnemonic.opcode
    for name, (offset, _) in HEADER.items():
        if name != "opcode":
            word |= getattr(header, name) << offset
    full = mnemonic.complete(values)
    for f, offset, _, _ in mnemonic.layout():
        word |= f.encode(full[f.name]) << offset
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def decode(text: bytes, mnemonics: Sequence[Mnemonic]) -> tuple[Mnemonic | None, dict[str, object], Header]:
    """Mnemonic (None: end of the program), complete fields and header of one instruction.

    Raises
    ------
    EncodingError
        For an unknown opcode or a field out of range.
    """
    word = int.from_bytes(text, "little")

    def bits(offset: int, width: int) -> int:
        return word >> offset & (1 << width) - 1

    head = {name: bits(*place) for name, place in HEADER.items()}
    opcode = head.pop("opcode")
    if opcode == 0:
        return None, {}, Header(**head)
    for mnemonic in mnemonics:
        if mnemonic.opcode == opcode:
            values = {f.name: f.decode(bits(offset, width)) for f, offset, width, _ in mnemonic.layout()}
            return mnemonic, mnemonic.complete(values), Header(**head)
    raise EncodingError(f"no instruction has opcode {opcode}")


_cache: dict[int, tuple[Mnemonic, tuple[Access, ...]]] = {}


def accesses(mnemonic: Mnemonic) -> tuple[Access, ...]:
    """Every memory access of the effect, under the choices that lead to it."""
    known = _cache.get(id(mnemonic))
    if known is None or known[0] is not mnemonic:
        effect = mnemonic.effect
        extents = {l.name: l.extent for l in effect.loops} | _local_loops(effect.expr)
        found: dict[tuple, set] = {}
        for expr, write in ((effect.expr, False), (effect.destination, True)):
            for chosen, leaf in _leaves(expr, None, set()):
                footprint = (*_footprint(leaf, extents), write, chosen and chosen[0])
                found.setdefault(footprint, set()).add(chosen and chosen[1])
        whole = {f.name: set(range(f.low, f.high + 1)) for f in mnemonic.fields if f.kind == "enum"}
        listed = tuple(
            Access(memory, unit, base, terms, span, ((name, tuple(sorted(values))),) if name and values != whole[name] else (), write)
            for (memory, unit, base, terms, span, write, name), values in found.items()
        )
        known = _cache[id(mnemonic)] = (mnemonic, listed)
    return known[1]


def _local_loops(expr: Expr) -> dict[str, str | int]:
    loops: dict[str, str | int] = {}
    seen: set[int] = set()

    def visit(e: Expr) -> None:
        if id(e) in seen:
            return
        seen.add(id(e))
        if isinstance(e, Reduce):
            loops.update({l.name: l.extent for l in e.loops})
        for child in e.children:
            visit(child)

    visit(expr)
    return loops


def _leaves(expr: Expr, chosen: tuple[str, int] | None, seen: set) -> Iterator[tuple[tuple[str, int] | None, Load | Lookup]]:
    """Every read with the nearest choice above it: the one that picks its memory or type.

    Slots further up (add this stream or not) do not count: hardware fetches a stream that is switched on,
    whether or not a slot takes it.
    """
    if (id(expr), chosen) in seen:
        return
    seen.add((id(expr), chosen))
    if isinstance(expr, Load | Lookup):
        yield chosen, expr
    if isinstance(expr, Choose):
        for value, alternative in enumerate(expr.alternatives):
            yield from _leaves(alternative, (expr.field, value), seen)
    elif isinstance(expr, Lookup):
        yield from _leaves(expr.index, None, seen)
    else:
        for child in expr.children:
            yield from _leaves(child, chosen, seen)


def _footprint(leaf: Load | Lookup, extents):
    """Memory, unit, base, terms and span of a read or write, as ``Access`` has them."""
    if isinstance(leaf, Lookup):
        address, span, memory = leaf.base, 256, leaf.table.name
    else:
        address, span, memory = leaf.address, ELEMENT_BYTES[leaf.operand.element], leaf.operand.name
    ((_, base), unit), *more = address.coefficient("").terms
    if more or not base:
        raise ValueError(f"an access of {memory} must have one field as its base, not {address.coefficient('')}")
    terms = []
    for l in address.loops:
        ((_, name), scale), *more = address.coefficient(l).terms
        if isinstance(extents[l], int):  # a lane loop widens the span
            span += scale * (extents[l] - 1)
        elif more or scale != unit:
            raise ValueError(f"an access of {memory} must step by {unit} times a field, not {address.coefficient(l)}")
        else:
            terms.append((name or 1, extents[l]))
    return memory, unit, base, tuple(terms), span
