"""Mnemonics as plain data that a file can hold; their effects as text."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.acg.errors import CovenantError
from tenon.acg.mnemonic import Field, Mnemonic, Timing
from tenon.acg.reading import each, name_in, of_keys, whole_in
from tenon.acg.text import effect_text, parse_effect

__all__ = ["mnemonic_from", "mnemonic_to"]

_FURTHEST = 1 << 62  # a field's value


def mnemonic_to(mnemonic: Mnemonic) -> dict[str, object]:
    """A mnemonic as JSON-able data."""
    return {
        "name": mnemonic.name, "opcode": mnemonic.opcode, "unit": mnemonic.unit, "fields": [_field_to(f) for f in mnemonic.fields],
        "effect": effect_text(mnemonic.effect).split("\n"), "rules": list(mnemonic.rules), "timing": dict(mnemonic.timing.terms()),
    }


def mnemonic_from(data: object) -> Mnemonic:
    """The mnemonic that ``mnemonic_to`` wrote, or somebody by hand.

    Raises
    ------
    CovenantError
        If it is none, naming it and the part.
    """
    data = of_keys(data, "an instruction", ("name", "opcode", "unit", "fields", "effect", "timing"), ("rules",))
    name = name_in(data["name"], "an instruction")
    fields = each(data, "fields", name, lambda field: _field_from(field, name))
    rules = each({"rules": [], **data}, "rules", name, lambda rule: _text(rule, f"a rule of {name}"))
    timing = Timing(**{key: _text(formula, f"{key} of {name}") for key, formula in of_keys(
        data["timing"], f"timing of {name}", ("occupancy",), ("reads", "visible", "fill", "step")).items()})
    lines = data["effect"].split("\n") if isinstance(data["effect"], str) else each(
        data, "effect", name, lambda line: _text(line, f"a line of {name}'s effect"))
    effect = parse_effect("\n".join(lines), fields, name)
    try:
        return Mnemonic(name, whole_in(data, "opcode", name), name_in(data["unit"], f"the unit of {name}"), fields, effect, timing, rules)
    except CovenantError:
        raise
    except ValueError as error:
        raise CovenantError(str(error) if str(error).startswith(name) else f"{name}: {error}") from None


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise CovenantError(f"{what} must be a text, not {value!r}")
    return value


def _field_to(f: Field) -> dict[str, object]:
    if f.kind == "enum":
        return {"name": f.name, "choices": list(f.choices)}
    if f.kind == "f32":
        return {"name": f.name, "kind": "f32"}
    return {"name": f.name, "low": f.low, "high": f.high} | ({"kind": f.kind} if f.kind == "address" else {})


def _field_from(data: object, owner: str) -> Field:
    """One of four kinds, by its keys."""
    keys = data.keys() if isinstance(data, Mapping) else ()
    is_address = "kind" in keys and data["kind"] == "address"
    kind = ("choices",) if "choices" in keys else ("kind",) if "kind" in keys and not is_address else ("low", "high")
    kind += ("kind",) if is_address else ()
    data = of_keys(data, f"a field of {owner}", ("name", *kind))
    name = name_in(data["name"], f"a field of {owner}")
    if "choices" in data:
        choices = each(data, "choices", f"{owner}.{name}", lambda choice: _text(choice, f"a choice of {owner}.{name}"))
        if len(set(choices)) < max(1, len(choices)):
            raise CovenantError(f"choices of {owner}.{name} must be different ones, at least one")
        return Field(name, 0, len(choices) - 1, "enum", choices)
    if "kind" in data and not is_address:
        if data["kind"] != "f32":
            raise CovenantError(f"kind of {owner}.{name} must be f32 or address, not {data['kind']!r}: a whole number has low and high")
        return Field(name, 0, 0, "f32")
    low = whole_in(data, "low", f"{owner}.{name}", -_FURTHEST, _FURTHEST)
    return Field(name, low, whole_in(data, "high", f"{owner}.{name}", max(low, 0), _FURTHEST), "address" if is_address else "int")
