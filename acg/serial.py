"""Mnemonics as plain data that a file can hold; their effects as text."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.acg.encoding import Encoding
from tenon.acg.errors import CovenantError
from tenon.acg.mnemonic import Field, Mnemonic, Timing
from tenon.acg.reading import each, name_in, of_keys, whole_in
from tenon.acg.sequencer import QueueSequencer
from tenon.acg.text import effect_text, parse_effect

__all__ = ["mnemonic_from", "mnemonic_to", "sequencer_from", "sequencer_to"]

_FURTHEST = 1 << 62  # a field's value
_MOST_BITS = 1 << 16  # of an instruction
_HEADER = "opcode", "waits", "release", "done", "mark"


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


def sequencer_to(sequencer: QueueSequencer) -> dict[str, object]:
    """A sequencer as JSON-able data."""
    own = {key: value for key, value in vars(sequencer).items() if key != "encoding"}
    return {"encoding": {"bits": sequencer.encoding.bits, **{name: [offset, width] for name, offset, width in sequencer.encoding.header}},
            **own}


def sequencer_from(data: object) -> QueueSequencer:
    """The sequencer that ``sequencer_to`` wrote, or somebody by hand. CovenantError if it is none."""
    numbers = "queue_depth", "tokens", "token_limit", "issue_cycles", "marks"
    data = of_keys(data, "the sequencer", ("encoding", *numbers))
    return QueueSequencer(_encoding_from(data["encoding"]), **{key: whole_in(data, key, "the sequencer", 1, 1 << 20) for key in numbers})


def _encoding_from(data: object) -> Encoding:
    data, header = of_keys(data, "the encoding", ("bits", *_HEADER)), []
    for name in _HEADER:
        place = data[name]
        if not isinstance(place, list) or len(place) != 2 or any(type(n) is not int or not 0 <= n < _MOST_BITS for n in place):
            raise CovenantError(f"{name} of the encoding must be [offset, width], not {place!r}")
        header.append((name, *place))
    return Encoding(whole_in(data, "bits", "the encoding", 8, _MOST_BITS), tuple(header))


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise CovenantError(f"{what} must be a text, not {value!r}")
    return value


def _field_to(f: Field) -> dict[str, object]:
    if f.kind == "enum":
        return {"name": f.name, "choices": list(f.choices)}
    return {"name": f.name, "kind": "f32"} if f.kind == "f32" else {"name": f.name, "low": f.low, "high": f.high}


def _field_from(data: object, owner: str) -> Field:
    """One of three kinds, by its keys."""
    keys = data.keys() if isinstance(data, Mapping) else ()
    kind = ("choices",) if "choices" in keys else ("kind",) if "kind" in keys else ("low", "high")
    data = of_keys(data, f"a field of {owner}", ("name", *kind))
    name = name_in(data["name"], f"a field of {owner}")
    if "choices" in data:
        choices = each(data, "choices", f"{owner}.{name}", lambda choice: _text(choice, f"a choice of {owner}.{name}"))
        if len(set(choices)) < max(1, len(choices)):
            raise CovenantError(f"choices of {owner}.{name} must be different ones, at least one")
        return Field(name, 0, len(choices) - 1, "enum", choices)
    if "kind" in data:
        if data["kind"] != "f32":
            raise CovenantError(f"kind of {owner}.{name} must be f32, not {data['kind']!r}: a whole number has low and high")
        return Field(name, 0, 0, "f32")
    low = whole_in(data, "low", f"{owner}.{name}", -_FURTHEST, _FURTHEST)
    return Field(name, low, whole_in(data, "high", f"{owner}.{name}", max(low, 0), _FURTHEST))
