"""Mnemonics as plain data that a file can hold; their effects as text."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.acg.mnemonic import Field, Mnemonic
from tenon.acg.text import effect_text, parse_effect

__all__ = ["mnemonic_from", "mnemonic_to"]


def mnemonic_to(mnemonic: Mnemonic) -> dict[str, object]:
    """A mnemonic as JSON-able data."""
    return {
        "name": mnemonic.name, "opcode": mnemonic.opcode, "unit": mnemonic.unit, "fields": [_field_to(f) for f in mnemonic.fields],
        "effect": effect_text(mnemonic.effect).split("\n"), "rules": list(mnemonic.rules), "cost": dict(mnemonic.cost),
    }


def mnemonic_from(data: Mapping[str, object]) -> Mnemonic:
    """The mnemonic that ``mnemonic_to`` wrote, or a hand like it.

    Raises
    ------
    CovenantError
        If its effect is none, naming the instruction.
    KeyError, TypeError, ValueError
        If the data are not a mnemonic.
    """
    fields = tuple(_field_from(f) for f in data["fields"])
    effect = parse_effect("\n".join(data["effect"]), fields, data["name"])
    return Mnemonic(data["name"], data["opcode"], data["unit"], fields, effect, dict(data["cost"]), tuple(data["rules"]))


def _field_to(f: Field) -> dict[str, object]:
    if f.kind == "enum":
        return {"name": f.name, "choices": list(f.choices)}
    return {"name": f.name, "kind": "f32"} if f.kind == "f32" else {"name": f.name, "low": f.low, "high": f.high}


def _field_from(data: Mapping[str, object]) -> Field:
    if "choices" in data:
        return Field(data["name"], 0, len(data["choices"]) - 1, "enum", tuple(data["choices"]))
    return Field(data["name"], 0, 0, "f32") if "kind" in data else Field(data["name"], data["low"], data["high"])
