"""Effects as C++: what ``acg.interpret`` does with numpy, for machines whose instructions are small and many."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Nest, Op, Reduce, Val, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic

__all__ = ["effect_code", "memory_numbers"]

_TYPES = {"u8": "uint8_t", "i8": "int8_t", "i32": "int32_t", "f32": "float"}
#: Operations of binary32 numbers, of integers, and of either, as machine.hpp calls them.
_FLOATS = {"add": "add_f", "sub": "sub_f", "mul": "mul_f", "max": "max_f", "min": "min_f", "fma": "fma_f"}
_INTEGERS = {"add": "add_i", "sub": "sub_i", "mul": "mul_i", "max": "std::max<int32_t>", "min": "std::min<int32_t>"}
_OTHERS = {"f32": "(float)", "guess_reciprocal": "guess_reciprocal", "guess_root": "guess_root", "rne": "rne", "clamp": "clamp",
           "u8": "(uint8_t)", "within": "within", "and": "both"}


def memory_numbers(graph: Graph) -> dict[str, int]:
    """A number for each memory on chip and each segment."""
    return {name: number for number, name in enumerate((*graph.memory_bytes, *graph.segment_names))}


def effect_code(graph: Graph, mnemonic: Mnemonic) -> str:
    """A function ``effect_NAME(fields, memories, out)``: reads, and puts what is to be written into ``out``.

    There is a variant for every choice of its fields, so that nothing is chosen element by element.
    """
    chosen = list(dict.fromkeys(e.field for top in (mnemonic.effect.destination, mnemonic.effect.expr) for e in walk(top)
                                if isinstance(e, Choose)))
    options = [range(mnemonic.field(name).high + 1) for name in chosen]
    lines = [f"static void effect_{mnemonic.name}(const int64_t *f, uint8_t *const *m, Out &out) {{"]
    places = {field.name: k for k, field in enumerate(mnemonic.fields)}
    for choice in itertools.product(*options):
        condition = " && ".join(f"f[{places[name]}] == {value}" for name, value in zip(chosen, choice)) or "true"
        lines += [f"  if ({condition}) {{", *_Writer(graph, mnemonic, places, dict(zip(chosen, choice))).lines(), "    return;", "  }"]
    return "\n".join([*lines, "}", ""])


class _Writer:
    def __init__(self, graph: Graph, mnemonic: Mnemonic, places: Mapping[str, int], choice: Mapping[str, int]):
        self.graph, self.mnemonic, self.places, self.choice = graph, mnemonic, places, choice
        self.numbers = memory_numbers(graph)
        self.counter = itertools.count()

    def lines(self) -> list[str]:
        nest: Nest = self.mnemonic.effect
        target = self.chosen(nest.destination)
        size = ELEMENT_BYTES[target.operand.element]
        body: list[str] = []
        value = self.value(nest.expr, body, "      ")
        opened = [self.loop(loop) for loop in nest.loops]
        memory = self.numbers[target.operand.name]
        store = f"out.put({memory}, {self.form(target.address)}, {size}, bits(({_TYPES[target.operand.element]})({value})));"
        return ["    " + "".join(opened) + "{", *body, "      " + store, "    }"]

    def chosen(self, expr: Expr) -> Expr:
        while isinstance(expr, Choose):
            expr = expr.alternatives[self.choice[expr.field]]
        return expr

    def loop(self, loop: Loop) -> str:
        extent = loop.extent if isinstance(loop.extent, int) else f"f[{self.places[loop.extent]}]"
        return f"for (int64_t {_name(loop.name)} = 0; {_name(loop.name)} < {extent}; {_name(loop.name)}++) "

    def form(self, form: Aff) -> str:
        terms = []
        for (loop, field), factor in form.terms:
            factors = [f"INT64_C({factor})", *([f"f[{self.places[field]}]"] if field else []), *([_name(loop)] if loop else [])]
            terms.append(" * ".join(factors))
        return " + ".join(terms) or "0"

    def is_float(self, expr: Expr) -> bool:
        expr = self.chosen(expr)
        if isinstance(expr, Op):
            return expr.name in ("f32", "fma", "guess_reciprocal", "guess_root") or (
                expr.name in ("add", "sub", "mul", "max", "min") and self.is_float(expr.args[0])) or (
                expr.name == "select" and self.is_float(expr.args[1]))
        if isinstance(expr, Val):
            return expr.element == "f32"
        if isinstance(expr, Reduce):
            return self.is_float(expr.body)
        return (expr.operand if isinstance(expr, Load) else expr.table).element == "f32"

    def value(self, expr: Expr, body: list[str], indent: str) -> str:
        """An expression's name, whose computation is appended to ``body``."""
        expr = self.chosen(expr)
        name = f"v{next(self.counter)}"
        if isinstance(expr, Val):
            return self.number(expr)
        if isinstance(expr, Load):
            kind, memory = _TYPES[expr.operand.element], self.numbers[expr.operand.name]
            body.append(f"{indent}const {kind} {name} = at<{kind}>(m[{memory}], {self.form(expr.address)});")
            return name
        if isinstance(expr, Lookup):
            index, size = self.value(expr.index, body, indent), ELEMENT_BYTES[expr.table.element]
            kind, memory = _TYPES[expr.table.element], self.numbers[expr.table.name]
            body.append(f"{indent}const {kind} {name} = at<{kind}>(m[{memory}], {size} * ({self.form(expr.base)} + (uint8_t){index}));")
            return name
        if isinstance(expr, Reduce):
            return self.reduction(expr, name, body, indent)
        if expr.name == "select":  # what is not chosen may lie outside
            kind = "float" if self.is_float(expr) else "int32_t"
            condition = self.value(expr.args[0], body, indent)
            body.append(f"{indent}{kind} {name};")
            for word, arg in (("if (" + condition + ")", expr.args[1]), ("else", expr.args[2])):
                body.append(f"{indent}{word} {{")
                inner = self.value(arg, body, indent + "  ")
                body.append(f"{indent}  {name} = {inner};")
                body.append(f"{indent}}}")
            return name
        args = [self.value(arg, body, indent) for arg in expr.args]
        body.append(f"{indent}const auto {name} = {self.operation(expr)}({', '.join(args)});")
        return name

    def operation(self, expr: Op) -> str:
        return _OTHERS[expr.name] if expr.name in _OTHERS else (_FLOATS if self.is_float(expr) else _INTEGERS)[expr.name]

    def reduction(self, expr: Reduce, name: str, body: list[str], indent: str) -> str:
        kind, is_float = ("float", True) if self.is_float(expr.body) else ("int32_t", False)
        body.append(f"{indent}{kind} {name} = 0; bool {name}_begun = false;")
        body.append(f"{indent}{''.join(map(self.loop, expr.loops))}{{")
        inner = self.value(expr.body, body, indent + "  ")
        op = (_FLOATS if is_float else _INTEGERS)[expr.op]
        body.append(f"{indent}  {name} = {name}_begun ? {op}({name}, {inner}) : ({kind})({inner}); {name}_begun = true;")
        body.append(f"{indent}}}")
        return name

    def number(self, expr: Val) -> str:
        if isinstance(expr.value, Aff):
            if expr.element == "f32":
                (((_, field), _),) = expr.value.terms
                return f"number(f[{self.places[field]}])"
            return f"(int32_t)({self.form(expr.value)})"
        if expr.element == "f32":
            return f"number({struct.unpack('<I', struct.pack('<f', expr.value))[0]})"
        return f"(int32_t)({expr.value})"


def _name(loop: str) -> str:
    return f"loop_{loop}"


