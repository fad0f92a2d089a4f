"""Nests and mnemonics as plain data: a numbered list of nodes with references, since an effect is a DAG."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val, walk
from tenon.acg.mnemonic import Field, Mnemonic

__all__ = ["mnemonic_from", "mnemonic_to"]


def mnemonic_to(mnemonic: Mnemonic) -> dict[str, object]:
    """A mnemonic as JSON-able data."""
    effect = mnemonic.effect
    numbers: dict[int, int] = {}
    nodes: list[dict[str, object]] = []
    for root in (effect.expr, effect.destination):
        for node in walk(root):
            if id(node) not in numbers:
                numbers[id(node)] = len(nodes)
                nodes.append(_node_to(node, numbers))
    return {
        "name": mnemonic.name, "opcode": mnemonic.opcode, "unit": mnemonic.unit,
        "fields": [_field_to(f) for f in mnemonic.fields],
        "effect": {"loops": [[l.name, l.extent] for l in effect.loops], "nodes": nodes,
                   "destination": numbers[id(effect.destination)], "value": numbers[id(effect.expr)]},
        "rules": list(mnemonic.rules), "cost": dict(mnemonic.cost),
    }


def mnemonic_from(data: Mapping[str, object]) -> Mnemonic:
    """The mnemonic that ``mnemonic_to`` wrote. KeyError, TypeError or ValueError if the data are not one."""
    effect = data["effect"]
    nodes: list[Expr] = []
    for entry in effect["nodes"]:
        nodes.append(_node_from(entry, nodes))
    nest = Nest(_loops_from(effect["loops"]), nodes[effect["destination"]], nodes[effect["value"]])
    return Mnemonic(data["name"], data["opcode"], data["unit"], tuple(_field_from(f) for f in data["fields"]), nest,
                    dict(data["cost"]), tuple(data["rules"]))


def _field_to(f: Field) -> dict[str, object]:
    if f.kind == "enum":
        return {"name": f.name, "choices": list(f.choices)}
    return {"name": f.name, "kind": "f32"} if f.kind == "f32" else {"name": f.name, "low": f.low, "high": f.high}


def _field_from(data: Mapping[str, object]) -> Field:
    if "choices" in data:
        return Field(data["name"], 0, len(data["choices"]) - 1, "enum", tuple(data["choices"]))
    return Field(data["name"], 0, 0, "f32") if "kind" in data else Field(data["name"], data["low"], data["high"])


def _aff_to(form: Aff) -> list:
    return [[l, f, v] for (l, f), v in form.terms]


def _aff_from(data) -> Aff:
    return Aff.build({(l, f): int(v) for l, f, v in data})


def _loops_from(data) -> tuple[Loop, ...]:
    return tuple(Loop(name, extent) for name, extent in data)


def _operand_to(operand: Operand) -> list:
    return [operand.name, operand.element, list(operand.strides)]


def _operand_from(data) -> Operand:
    name, element, strides = data
    return Operand(name, element, tuple(strides))


def _node_to(node: Expr, numbers: Mapping[int, int]) -> dict[str, object]:
    children = [numbers[id(c)] for c in node.children]
    if isinstance(node, Val):
        if isinstance(node.value, Aff):
            return {"val": _aff_to(node.value), "element": node.element}
        # binary32 constants go by their bits: -0.0 is not 0.0.
        bits = struct.unpack("<I", struct.pack("<f", node.value))[0] if node.element == "f32" else int(node.value)
        return {"constant": bits, "element": node.element}
    if isinstance(node, Load):
        return {"load": _operand_to(node.operand), "index": [_aff_to(Aff.of(i)) for i in node.index]}
    if isinstance(node, Lookup):
        return {"lookup": _operand_to(node.table), "base": _aff_to(node.base), "index": children[0]}
    if isinstance(node, Choose):
        return {"choose": node.field, "of": children}
    if isinstance(node, Reduce):
        return {"reduce": node.op, "loops": [[l.name, l.extent] for l in node.loops], "of": children[0]}
    return {"op": node.name, "of": children}


def _node_from(data: Mapping[str, object], nodes: list[Expr]) -> Expr:
    if "val" in data:
        return Val(_aff_from(data["val"]), data["element"])
    if "constant" in data:
        bits = data["constant"]
        return Val(struct.unpack("<f", struct.pack("<I", bits))[0] if data["element"] == "f32" else bits, data["element"])
    if "load" in data:
        return Load(_operand_from(data["load"]), tuple(_aff_from(i) for i in data["index"]))
    if "lookup" in data:
        return Lookup(_operand_from(data["lookup"]), _aff_from(data["base"]), nodes[data["index"]])
    if "choose" in data:
        return Choose(data["choose"], tuple(nodes[i] for i in data["of"]))
    if "reduce" in data:
        return Reduce(data["reduce"], _loops_from(data["loops"]), nodes[data["of"]])
    return Op(data["op"], tuple(nodes[i] for i in data["of"]))
