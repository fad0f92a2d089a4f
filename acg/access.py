"""The memory accesses of an effect: what hardware's corner check, legality and the static checker all come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenon.acg.expr import Choose, Expr, Load, Lookup, Nest, Reduce, walk
from tenon.acg.field import Field

__all__ = ["ELEMENT_BYTES", "Access", "accesses_of"]

#: Bytes of one element of each type.
ELEMENT_BYTES = {"u8": 1, "i8": 1, "i32": 4, "f32": 4}

#: Elements of a table: one for each unsigned byte.
_TABLE = 256


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

    @property
    def fields(self) -> frozenset[str]:
        """Fields that say where it is, and whether it is made."""
        moved_by = {name for term in self.terms for name in term if isinstance(name, str)}
        return frozenset(moved_by | {self.base} | {field for field, _ in self.conditions})

    @property
    def steps(self) -> int:
        """Cycles to check it, one for each term: the base comes with the first."""
        return max(1, len(self.terms))

    def meets(self, written: Access) -> bool:
        """Whether this read may be of bytes that ``written`` writes, and not of a word that is updated in place."""
        return not self.write and self.memory == written.memory and (self.base, self.terms) != (written.base, written.terms)

    def chosen(self, env: Mapping[str, object]) -> bool:
        return all(int(env[f]) in values for f, values in self.conditions)

    def corners(self, env: Mapping[str, object]) -> tuple[int, int]:
        """First and last byte touched: exact, since the address is affine."""
        low = high = int(env[self.base])
        for s, n in self.terms:
            reach = (int(env[s]) if isinstance(s, str) else s) * (int(env[n]) - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        return low * self.unit, high * self.unit + self.span - 1


def accesses_of(effect: Nest, fields: Sequence[Field]) -> tuple[Access, ...]:
    """Every memory access of ``effect``, under the choices that lead to it.

    Raises
    ------
    ValueError
        For an address that hardware cannot check: it must be ``unit * (field + field * level + ...)`` and lanes.
    """
    extents = {l.name: l.extent for l in effect.loops}
    for node in walk(effect.expr):
        if isinstance(node, Reduce):
            extents.update({l.name: l.extent for l in node.loops})
    found: dict[tuple, set] = {}
    for expr, write in ((effect.expr, False), (effect.destination, True)):
        for chosen, leaf in _leaves(expr, None, set()):
            footprint = (*_footprint(leaf, extents), write, chosen and chosen[0])
            found.setdefault(footprint, set()).add(chosen and chosen[1])
    whole = {f.name: set(range(f.low, f.high + 1)) for f in fields if f.kind == "enum"}
    return tuple(
        Access(memory, unit, base, terms, span, ((name, tuple(sorted(values))),) if name and values != whole[name] else (), write)
        for (memory, unit, base, terms, span, write, name), values in found.items()
    )


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


def _footprint(leaf: Load | Lookup, extents: Mapping[str, str | int]):
    """Memory, unit, base, terms and span of a read or write, as ``Access`` has them."""
    if isinstance(leaf, Lookup):
        size = ELEMENT_BYTES[leaf.table.element]
        address, span, memory = leaf.base * size, _TABLE * size, leaf.table.name
    else:
        address, span, memory = leaf.address, ELEMENT_BYTES[leaf.operand.element], leaf.operand.name
    constant = address.coefficient("")
    if len(constant.terms) != 1 or not constant.terms[0][0][1]:
        raise ValueError(f"an access of {memory} must have one field as its base, not {constant}")
    ((_, base), unit), = constant.terms
    terms = []
    for l in address.loops:
        step = address.coefficient(l)
        ((_, name), scale), *more = step.terms
        if isinstance(extents[l], int):  # a lane loop widens the span
            if more or name or scale < 0:
                raise ValueError(f"an access of {memory} must have constant steps along lanes, not {step}")
            span += scale * (extents[l] - 1)
        elif more or scale != unit:
            raise ValueError(f"an access of {memory} must step by {unit} times a field, not {step}")
        else:
            terms.append((name or 1, extents[l]))
    return memory, unit, base, tuple(terms), span
