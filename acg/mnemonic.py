"""Mnemonics: an instruction's fields, effect, legality and timing, stated once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from tenon.acg.access import ELEMENT_BYTES, Access, accesses_of
from tenon.acg.expr import Nest, Reduce, walk
from tenon.acg.field import EncodingError, Field, extent, integer, option, real, stride
from tenon.acg.formula import evaluate, names

__all__ = ["ELEMENT_BYTES", "Access", "EncodingError", "Field", "Mnemonic", "Timing", "accesses", "extent", "integer", "option", "real",
           "stride", "walk_steps"]


@dataclass(frozen=True)
class Timing:
    """Cycles of an instruction, as formulas over its fields (``acg.formula``).

    ``occupancy``: until the engine can begin its next instruction. From the last issue: ``reads``, to where operands have been read;
    ``visible``, to where results are. ``fill``: what comes before the first issue while the engine is idle, and else goes on beside
    the issues of the instruction before, the last ``step`` cycles of which ("": all) leave room for it.
    """

    occupancy: str = "1"
    reads: str = "0"
    visible: str = "0"
    fill: str = "0"
    step: str = ""

    def terms(self) -> Iterator[tuple[str, str]]:
        """What is said, by name."""
        return ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self)
                if f.name == "occupancy" or getattr(self, f.name) != f.default)

    def cycles(self, what: str, env: Mapping[str, object]) -> int:
        """One of them for complete fields ``env``."""
        return int(evaluate(getattr(self, what) or self.occupancy, env))


@dataclass(frozen=True)
class Mnemonic:
    """One instruction of one unit.

    ``rules`` are formulas that hold for legal fields.

    Raises
    ------
    ValueError
        If two fields have one name, or a formula is none or names no field.
    """

    name: str
    opcode: int
    unit: str
    fields: tuple[Field, ...]
    effect: Nest
    timing: Timing = Timing()
    rules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {f.name for f in self.fields}
        if len(known) < len(self.fields):
            raise ValueError(f"{self.name} has two fields of one name")
        for formula in (*dict(self.timing.terms()).values(), *self.rules):
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
    def _accesses(self) -> tuple[Access, ...]:
        return accesses_of(self.effect, self.fields)

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
