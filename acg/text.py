"""Effects as text, and back: Python's grammar over the closed vocabulary of ``acg.expr`` and ``acg.ops``.

    for i < n, c < 4:
        v0 = choose(type, VEC.u8[4*x + 4*x_i*i + c], VEC.i8[4*x + 4*x_i*i + c])
        VEC.u8[4*d + 4*d_i*i + c] = u8(clamp(rne(fma(f32(v0 - zero), scale, -0.0)), 0, 255))

Brackets hold byte addresses. A name is a loop where a ``for`` or a reduction has opened it, a line's value, or else a field. ``sum``,
``largest`` and ``least`` reduce over the loops that they begin with; ``choose`` picks by its field, also where a destination is picked:
``choose[d_sel, VEC.u8[...], ACT.u8[...]] = ...``; ``lookup`` reads one of 256 elements from an address on; ``at`` is an index form as a
value. Numbers with a point are binary32.
"""

from __future__ import annotations

import ast
import itertools
import struct
from collections.abc import Mapping, Sequence

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.errors import CovenantError
from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val
from tenon.acg.field import Field
from tenon.acg.ops import OPS

__all__ = ["effect_text", "parse_effect"]

_SIGNS = {"add": "+", "sub": "-", "mul": "*"}
_BINDS = {"and": 0, "add": 1, "sub": 1, "mul": 2}  # Python would take a chain of and for one operation
_REDUCTIONS = {"add": "sum", "max": "largest", "min": "least"}
_WORDS = {word: op for op, word in _REDUCTIONS.items()}
_OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}


def effect_text(nest: Nest) -> str:
    """A nest as lines; values that are used more than once get one of their own."""
    uses: dict[int, int] = {}
    order: list[Expr] = []

    def count(e: Expr) -> None:
        uses[id(e)] = uses.get(id(e), 0) + 1
        if uses[id(e)] == 1:
            for child in e.children:
                count(child)
            order.append(e)

    count(nest.expr)
    count(nest.destination)
    taken = _taken(nest, order)
    free = (name for name in map("v{}".format, itertools.count()) if name not in taken)
    names: dict[int, str] = {}
    lines = []
    for e in order:
        if uses[id(e)] > 1 and isinstance(e, Op | Choose | Reduce | Lookup):
            text = _text(e, names)
            names[id(e)] = next(free)
            lines.append(f"{names[id(e)]} = {text}")
    lines.append(f"{_target(nest.destination)} = {_text(nest.expr, names)}")
    return "\n".join([f"for {_loops(nest.loops)}:", *("    " + line for line in lines)])


def _taken(nest: Nest, nodes: Sequence[Expr]) -> set[str]:
    """Names of loops and fields."""
    loops = [*nest.loops, *(l for e in nodes if isinstance(e, Reduce) for l in e.loops)]
    forms = [form for e in nodes for form in ((e.address,) if isinstance(e, Load) else (e.base,) if isinstance(e, Lookup) else
                                              (e.value,) if isinstance(e, Val) and isinstance(e.value, Aff) else ())]
    return {l.name for l in loops} | {str(l.extent) for l in loops} | {e.field for e in nodes if isinstance(e, Choose)} | {
        name for form in forms for names, _ in form.terms for name in names}


def _loops(loops: Sequence[Loop]) -> str:
    return ", ".join(f"{l.name} < {l.extent}" for l in loops)


def _target(e: Expr) -> str:
    if isinstance(e, Choose):
        return f"choose[{', '.join([e.field, *map(_target, e.alternatives)])}]"
    return _text(e, {})


def _text(e: Expr, names: Mapping[int, str]) -> str:
    if id(e) in names:
        return names[id(e)]
    inner = [_text(c, names) for c in e.children]
    if isinstance(e, Val):
        return _value(e)
    if isinstance(e, Load):
        return f"{e.operand.name}.{e.operand.element}[{e.address}]"
    if isinstance(e, Lookup):
        return f"lookup({e.table.name}.{e.table.element}[{e.base * ELEMENT_BYTES[e.table.element]}], {inner[0]})"
    if isinstance(e, Choose):
        return f"choose({', '.join([e.field, *inner])})"
    if isinstance(e, Reduce):
        return f"{_REDUCTIONS[e.op]}({', '.join([_loops(e.loops), inner[0]])})"
    if e.name in _BINDS:
        left, right = e.children
        least = _BINDS[e.name]
        plain = id(left) in names or _binds(left) > least or _binds(left) == least > 0  # a chain needs no parentheses
        other = id(right) in names or _binds(right) > least
        return f"{inner[0] if plain else f'({inner[0]})'} {_SIGNS.get(e.name, 'and')} {inner[1] if other else f'({inner[1]})'}"
    return f"{e.name}({', '.join(inner)})"


def _binds(e: Expr) -> int:
    """How tightly what joins a node's operands binds them."""
    return _BINDS.get(e.name, 9) if isinstance(e, Op) else 9


def _value(e: Val) -> str:
    if not isinstance(e.value, Aff):
        return repr(float(e.value)) if e.element == "f32" else str(e.value)
    plain = len(e.value.terms) == 1 and e.value.terms[0][0][0] == "" and e.value.terms[0][0][1] and e.value.terms[0][1] == 1
    return str(e.value) if plain else f"at({e.value})"


def parse_effect(text: str, fields: Sequence[Field], name: str = "an effect") -> Nest:
    """The nest that ``effect_text`` wrote; ``fields``: of its instruction, by which numbers are told from binary32; ``name``: what errors
    call it.

    Raises
    ------
    CovenantError
        In one line that names the piece: it is not of this language, or no field, loop or value has that name.
    """
    head, _, body = text.strip().partition(":")
    if not head.startswith("for ") or not body.strip():
        raise CovenantError(f"{name}: must be 'for LOOP < EXTENT, ...:' and assignments, not {_short(text)}")
    try:
        loops = ast.parse(f"[{head[4:]}]", mode="eval").body
        lines = ast.parse("\n".join(line.strip() for part in body.strip().split("\n") for line in part.split(";"))).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CovenantError(f"{name}: must have Python's grammar: {error.msg if isinstance(error, SyntaxError) else error}") from None
    try:
        if not isinstance(loops, ast.List):
            raise CovenantError(f"{_short(head)}: a loop is NAME < EXTENT")
        return _Parser(fields).nest(loops.elts, lines)
    except CovenantError as error:
        raise CovenantError(f"{name}: {error}") from None
    except RecursionError:
        raise CovenantError(f"{name}: is too deep") from None


def _short(text: object) -> str:
    return repr(" ".join(str(text).split())[:60])


class _Parser:
    def __init__(self, fields: Sequence[Field]):
        self.fields = {f.name: f for f in fields}
        self.loops: set[str] = set()
        self.values: dict[str, Expr] = {}

    def nest(self, loops: Sequence[ast.expr], lines: Sequence[ast.stmt]) -> Nest:
        for line in lines:  # a value may lie inside a reduction that a later line opens
            for node in ast.walk(line):
                if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
                    self.loops.add(node.left.id)
        outer = tuple(self.loop(l) for l in loops)
        for line in lines:
            if not isinstance(line, ast.Assign) or len(line.targets) != 1:
                raise self.refusal(line, "an assignment is due")
        *values, last = lines
        for line in values:
            (target,) = line.targets
            if not isinstance(target, ast.Name) or target.id in self.fields.keys() | self.loops | self.values.keys():
                raise self.refusal(target, "a value needs a name of its own; the last line alone writes memory")
            self.values[target.id] = self.expr(line.value)
        return Nest(outer, self.destination(last.targets[0]), self.expr(last.value))

    def refusal(self, node: ast.AST, why: str) -> CovenantError:
        return CovenantError(f"{' '.join(ast.unparse(node).split())[:60]}: {why}")

    def loop(self, node: ast.expr) -> Loop:
        if not (isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and [*map(type, node.ops)] == [ast.Lt]):
            raise self.refusal(node, "a loop is NAME < EXTENT")
        (extent,) = node.comparators
        self.loops.add(node.left.id)
        if node.left.id in self.fields:
            raise self.refusal(node, "a loop must not be called as a field is")
        if isinstance(extent, ast.Constant) and type(extent.value) is int:
            return Loop(node.left.id, extent.value)
        if not isinstance(extent, ast.Name) or extent.id not in self.fields:
            raise self.refusal(node, "an extent is a field or a number")
        return Loop(node.left.id, extent.id)

    def destination(self, node: ast.expr) -> Expr:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "choose":
            if not isinstance(node.slice, ast.Tuple):
                raise self.refusal(node, "a choice is a field and its alternatives")
            name, *rest = node.slice.elts
            return Choose(self.choice(name), tuple(map(self.destination, rest)))
        return self.access(node)

    def choice(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name) or node.id not in self.fields:
            raise self.refusal(node, "a choice is made by a field")
        return node.id

    def access(self, node: ast.expr) -> Load:
        if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and isinstance(node.value.value, ast.Name)):
            raise self.refusal(node, "an element is MEMORY.TYPE[ADDRESS]")
        if node.value.attr not in ELEMENT_BYTES:
            raise self.refusal(node, f"a type is one of {', '.join(ELEMENT_BYTES)}")
        return Load(Operand(node.value.value.id, node.value.attr, (1,)), (self.form(node.slice),))

    def form(self, node: ast.expr) -> Aff:
        """An index form."""
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return Aff.of(node.value)
        if isinstance(node, ast.Name):
            if node.id in self.loops:
                return Aff((((node.id, ""), 1),))
            if node.id in self.fields and self.fields[node.id].kind != "f32":
                return Aff(((("", node.id), 1),))
            raise self.refusal(node, "no field and no loop of whole numbers has this name")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.form(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            a, b = self.form(node.left), self.form(node.right)
            try:
                return a + b if isinstance(node.op, ast.Add) else a - b if isinstance(node.op, ast.Sub) else a * b
            except ValueError:
                raise self.refusal(node, "not affine") from None
        raise self.refusal(node, "no index form")

    def expr(self, node: ast.expr) -> Expr:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            value = self.constant(node.operand)
            return Val(-value.value, value.element)
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, ast.Name):
            if node.id in self.values:
                return self.values[node.id]
            if node.id not in self.fields:
                raise self.refusal(node, "no field and no value has this name")
            return Val(Aff(((("", node.id), 1),)), "f32" if self.fields[node.id].kind == "f32" else "i32")
        if isinstance(node, ast.Subscript):
            return self.access(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return Op(_OPERATORS[type(node.op)], (self.expr(node.left), self.expr(node.right)))
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) and len(node.values) == 2:
            return Op("and", tuple(map(self.expr, node.values)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self.call(node, node.func.id, node.args)
        raise self.refusal(node, "no expression of an effect")

    def constant(self, node: ast.Constant) -> Val:
        if type(node.value) is float:
            try:
                return Val(struct.unpack("<f", struct.pack("<f", node.value))[0], "f32")
            except OverflowError:
                raise self.refusal(node, "no binary32 number") from None
        if type(node.value) is int and node.value < 1 << 31:
            return Val(node.value)
        raise self.refusal(node, "no number of 32 bits")

    def call(self, node: ast.Call, name: str, args: Sequence[ast.expr]) -> Expr:
        if name in _WORDS and len(args) > 1:
            return Reduce(_WORDS[name], tuple(map(self.loop, args[:-1])), self.expr(args[-1]))
        if name == "choose" and len(args) > 1:
            return Choose(self.choice(args[0]), tuple(map(self.expr, args[1:])))
        if name == "lookup" and len(args) == 2:
            table = self.access(args[0])
            size = ELEMENT_BYTES[table.operand.element]
            if any(v % size for _, v in table.address.terms):
                raise self.refusal(args[0], f"a table begins at multiples of {size} bytes")
            base = Aff.build({key: v // size for key, v in table.address.terms})
            return Lookup(table.operand, base, self.expr(args[1]))
        if name == "at" and len(args) == 1:
            return Val(self.form(args[0]))
        if name in OPS and len(args) == OPS[name].arity and name not in _SIGNS and name != "and":
            return Op(name, tuple(map(self.expr, args)))
        raise self.refusal(node, f"there is no {name} of {len(args)}")
