"""Mnemonics: an instruction's fields, encoding, effect, legality and cost, stated once."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default

from tenon.acg.access import ELEMENT_BYTES, Access, accesses_of
from tenon.acg.expr import Nest, Reduce, walk
from tenon.acg.field import EncodingError, Field, extent, integer, option, real, stride
from tenon.acg.formula import evaluate, names

__all__ = ["ELEMENT_BYTES", "HEADER", "INSTRUCTION_BITS", "INSTRUCTION_BYTES", "Access", "EncodingError", "Field", "Header", "Mnemonic",
           "accesses", "decode", "encode", "extent", "integer", "option", "real", "stride", "walk_steps"]

INSTRUCTION_BITS = 1024
INSTRUCTION_BYTES = INSTRUCTION_BITS // 8

#: Fields common to all instructions, outside every effect: name to (offset, width). ``waits`` consumes tokens,
#: ``release`` and ``done`` are signalled when operands have been read and when results are visible.
HEADER: dict[str, tuple[int, int]] = {
    "opcode": (0, 4), "waits": (4, 16), "release": (20, 16), "done": (36, 16), "mark": (52, 12),
}
_HEADER_BITS = 64


@dataclass(frozen=True)
class Header:
    """What the sequencer does with an instruction: masks of tokens, and a time stamp's index."""

    waits: int = 0
    release: int = 0
    done: int = 0
    mark: int = 0


@dataclass(frozen=True)
class Mnemonic:
    """One instruction of one unit.

    ``cost`` maps ``occupancy`` (cycles until the engine can begin its next instruction), ``release`` and
    ``latency`` (cycles from the last issue to the last visible result) to formulas over the fields
    (``acg.formula``). ``rules`` are formulas that hold for legal fields.

    Raises
    ------
    ValueError
        If the fields do not fit an instruction or have a name twice, the opcode is not in 1..15, or a formula
        is none or names no field.
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
            raise ValueError(f"{self.name} must have at most {INSTRUCTION_BITS} bits, not {bits}")
        if not 0 < self.opcode < 1 << HEADER["opcode"][1]:
            raise ValueError(f"{self.name}'s opcode must be in 1..15, not {self.opcode}")
        known = {f.name for f in self.fields}
        if len(known) < len(self.fields):
            raise ValueError(f"{self.name} has two fields of one name")
        for formula in (*self.cost.values(), *self.rules):
            if strange := names(formula) - known:
                raise ValueError(f"{self.name} has no field {min(strange)!r}, which {formula!r} names")

    @functools.cached_property
    def extents(self) -> tuple[str, ...]:
        """Fields that say how many steps a loop of the effect has."""
        loops = [*self.effect.loops, *(loop for e in walk(self.effect.expr) if isinstance(e, Reduce) for loop in e.loops)]
        counted = {loop.extent for loop in loops}
        return tuple(f.name for f in self.fields if f.name in counted)

    @functools.cached_property
    def rules_extents(self) -> bool:
        """Whether a rule depends on how far a loop counts: then it matters which loop is which level."""
        return any(names(rule) & set(self.extents) for rule in self.rules)

    @functools.cached_property
    def _places(self) -> tuple[tuple[Field, int, int, bool], ...]:
        places, offset = [], _HEADER_BITS
        for f in self.fields:
            places.append((f, offset, f.width, f.signed))
            offset += f.width
        return tuple(places)

    @functools.cached_property
    def _accesses(self) -> tuple[Access, ...]:
        return accesses_of(self.effect, self.fields)

    def layout(self) -> Iterator[tuple[Field, int, int, bool]]:
        """Each field with its bit offset, width and signedness."""
        return iter(self._places)

    @property
    def bits(self) -> int:
        """Of an instruction that mean something: the header's and those of the fields."""
        return _HEADER_BITS + sum(f.width for f in self.fields)

    def field(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)

    def complete(self, values: Mapping[str, object]) -> dict[str, int | float]:
        """``values`` as decoding gives them, with the defaults of what is not said: extents 1, numbers 0, first choices.

        Raises
        ------
        EncodingError
            For an unknown field or a value outside its range.
        """
        full = {f.name: f.check(values[f.name], self.name) if f.name in values else f.default for f in self.fields}
        for name in values:
            if name not in full:
                raise EncodingError(f"{self.name} has no field {name!r}")
        return full

    def evaluate(self, what: str, env: Mapping[str, object]) -> int:
        """Value of cost ``what`` for complete fields ``env``."""
        return int(evaluate(self.cost[what], env))

    def violations(self, env: Mapping[str, object], memory_bytes: Mapping[str, int]) -> list[str]:
        """Rules that complete fields break: predicates, and corners outside the memories that are listed."""
        broken = [f"{self.name}: {rule}" for rule in self.rules if not evaluate(rule, env)]
        for a in self._accesses:
            if a.memory in memory_bytes and a.chosen(env):
                low, high = a.corners(env)
                if low < 0 or high >= memory_bytes[a.memory]:
                    verb = "writes" if a.write else "reads"
                    broken.append(f"{self.name} {verb} {a.memory} bytes {low}..{high} of {memory_bytes[a.memory]}")
        return broken


def accesses(mnemonic: Mnemonic) -> tuple[Access, ...]:
    """Every memory access of the effect, under the choices that lead to it."""
    return mnemonic._accesses


def walk_steps(mnemonic: Mnemonic, env: Mapping[str, object], memories: Container[str]) -> int:
    """Steps in which the accesses of ``memories`` are checked: those of an access that is made, one of each other."""
    return sum(a.steps if a.chosen(env) else 1 for a in accesses(mnemonic) if a.memory in memories)


def encode(mnemonic: Mnemonic, values: Mapping[str, object], header: Header = Header()) -> bytes:
    """One instruction of ``INSTRUCTION_BYTES`` bytes, little endian.

    Raises
    ------
    EncodingError
        For an unknown field, or a value (of the header too) outside its range.
    """
    word = mnemonic.opcode
    for name, (offset, width) in HEADER.items():
        if name != "opcode":
            value = getattr(header, name)
            if not 0 <= value < 1 << width:
                raise EncodingError(f"{mnemonic.name}'s {name} must be in 0..{(1 << width) - 1}, not {value}")
            word |= value << offset
    full = mnemonic.complete(values)
    for f, offset, _, _ in mnemonic._places:
        word |= f.encode(full[f.name]) << offset
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def decode(text: bytes, mnemonics: Sequence[Mnemonic]) -> tuple[Mnemonic | None, dict[str, int | float], Header]:
    """Mnemonic (None: end of the program), complete fields and header of one instruction.

    Raises
    ------
    EncodingError
        For an unknown opcode, a field out of range, or the wrong number of bytes.
    """
    if len(text) != INSTRUCTION_BYTES:
        raise EncodingError(f"an instruction must have {INSTRUCTION_BYTES} bytes, not {len(text)}")
    word = int.from_bytes(text, "little")

    def bits(offset: int, width: int) -> int:
        return word >> offset & (1 << width) - 1

    head = {name: bits(*place) for name, place in HEADER.items()}
    opcode = head.pop("opcode")
    if opcode == 0:
        return None, {}, Header(**head)
    for mnemonic in mnemonics:
        if mnemonic.opcode == opcode:
            values = {f.name: f.decode(bits(offset, width)) for f, offset, width, _ in mnemonic._places}
            return mnemonic, mnemonic.complete(values), Header(**head)
    raise EncodingError(f"no instruction has opcode {opcode}")
