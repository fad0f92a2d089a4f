"""From an operator's statement to one over memories: loops of a tile's extents, operands at byte addresses.

The part of each address that loops do not step is left as a parameter named like the operand: one placed statement
serves every tile of the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val, field, walk
from tenon.compiler.layout import Layout

__all__ = ["Tile", "place"]


class Tile(NamedTuple):
    """Where a tile of an operand lies: a memory's name, and its layout there."""

    memory: str
    layout: Layout


def place(statement: Nest, dims: Mapping[str, Sequence[str]], tiles: Mapping[str, Tile], extents: Mapping[str, int],
          attributes: Mapping[str, int | float]) -> Nest:
    """``statement`` with every loop, operand and attribute replaced by numbers.

    Parameters
    ----------
    dims : mapping of str to sequence of str
        Names of each operand's dimensions.
    extents : mapping of str to int
        Steps of each loop; a loop over several digits of a layout must be a whole number of them.

    Raises
    ------
    ValueError
        If an index does not fit a layout's digits.
    """
    return _Placing(dims, tiles, extents, attributes, statement).nest


class _Placing:
    def __init__(self, dims, tiles, extents, attributes, statement: Nest):
        self.dims, self.tiles, self.attributes = dims, tiles, attributes
        self.known: dict[int, Expr] = {}
        loops = {l.name: l for l in statement.loops}
        loads = []
        for node in (*walk(statement.destination), *walk(statement.expr)):
            if isinstance(node, Reduce):
                loops.update({l.name: l for l in node.loops})
            elif isinstance(node, Load):
                loads.append(node)
        weights: dict[str, set[int]] = {name: {1} for name in loops}
        for load in loads:
            for dim, index in zip(dims[load.operand.name], load.index, strict=True):
                digits = tiles[load.operand.name].layout.digits(dim)
                bound = Aff.of(index).bind(attributes)
                for loop in (l for l in bound if l):
                    weights[loop] |= {a.weight // bound[loop] for a in digits if a.weight % bound[loop] == 0}
        self.parts: dict[str, list[Loop]] = {}
        self.forms: dict[str, Aff] = {}
        for name in loops:
            self.parts[name], self.forms[name] = _split(name, extents[name], sorted(weights[name]))
        self.extents = {l.name: l.extent for parts in self.parts.values() for l in parts}
        self.nest = Nest(self.split(statement.loops), self.visit(statement.destination), self.visit(statement.expr))

    def split(self, loops: Sequence[Loop]) -> tuple[Loop, ...]:
        return tuple(part for l in loops for part in self.parts[l.name])

    def visit(self, expr: Expr) -> Expr:
        if id(expr) not in self.known:
            self.known[id(expr)] = self.rebuilt(expr)
        return self.known[id(expr)]

    def rebuilt(self, expr: Expr) -> Expr:
        if isinstance(expr, Load):
            return self.load(expr)
        if isinstance(expr, Val):
            return Val(self.number(expr.value), expr.element)
        if isinstance(expr, Op):
            return Op(expr.name, tuple(self.visit(a) for a in expr.args))
        if isinstance(expr, Reduce):
            return Reduce(expr.op, self.split(expr.loops), self.visit(expr.body))
        if isinstance(expr, Lookup):
            tile = self.tiles[expr.table.name]
            return Lookup(Operand(tile.memory, expr.table.element, (1,)), field(expr.table.name), self.visit(expr.index))
        assert not isinstance(expr, Choose), "a statement has no choices"
        raise TypeError(f"{expr} is no expression of a statement")

    def number(self, value):
        if not isinstance(value, Aff):
            return value
        ((_, name), factor), *more = value.terms
        if not more and factor == 1 and name in self.attributes:
            return self.attributes[name]
        return value

    def load(self, load: Load) -> Load:
        tile = self.tiles[load.operand.name]
        address = field(load.operand.name)
        for dim, index in zip(self.dims[load.operand.name], load.index, strict=True):
            stepped = Aff()
            for loop, factor in Aff.of(index).bind(self.attributes).items():
                if loop:  # what no loop steps is in the parameter
                    stepped = stepped + self.forms[loop] * factor
            address = address + tile.layout.address(dim, stepped, self.extents)
        return Load(Operand(tile.memory, load.operand.element, (1,)), (address,))


def _split(name: str, extent: int, weights: Sequence[int]) -> tuple[list[Loop], Aff]:
    """A loop as one per digit, outermost first, and the index that they make up."""
    inner = [w for w in weights if w < extent or w == 1]
    parts, form = [], Aff()
    for weight, above in zip(inner, [*inner[1:], extent], strict=True):
        count, rest = divmod(above, weight)
        if rest:
            raise ValueError(f"loop {name} of {extent} has no whole digits of {weight}")
        part = Loop(f"{name}.{weight}" if len(inner) > 1 else name, count)
        parts.insert(0, part)
        form = form + part * weight
    return parts, form
