"""Effects as text, and back."""

import pytest

from tenon.acg.errors import CovenantError
from tenon.acg.expr import Aff, Choose, Load, Lookup, Reduce, Val
from tenon.acg.field import extent, integer, option, real, stride
from tenon.acg.text import effect_text, parse_effect
from tenon.hw.covenant import covenant
from tenon.hw.presets import PRESETS, preset

FIELDS = (extent("n"), integer("x", 0, 99), integer("d", 0, 99), stride("step"), integer("zero", -128, 255), real("scale"),
          option("kind", "u8", "i8"), option("where", "a", "b"))


def structure(e, known):
    """What a node is, whatever object it is; memories by byte addresses."""
    if id(e) not in known:
        own = {Val: lambda: (e.element, e.value if isinstance(e.value, Aff) else repr(e.value)),
               Load: lambda: (e.operand.name, e.operand.element, e.address), Lookup: lambda: (e.table.name, e.table.element, e.base),
               Choose: lambda: (e.field,), Reduce: lambda: (e.op, e.loops)}.get(type(e), lambda: (e.name,))()
        known[id(e)] = hash((type(e).__name__, own, tuple(structure(c, known) for c in e.children)))
    return known[id(e)]


@pytest.mark.parametrize("name", PRESETS)
def test_all_effects_round_trip(name):
    for m in covenant(preset(name)).mnemonics:
        text = effect_text(m.effect)
        found = parse_effect(text, m.fields)
        assert effect_text(found) == text
        assert found.loops == m.effect.loops
        assert structure(found.destination, {}) == structure(m.effect.destination, {})
        assert structure(found.expr, {}) == structure(m.effect.expr, {})


@pytest.mark.parametrize("text", [
    "for i < n, c < 4:\n    D.f32[4*d + 4*c] = fma(f32(choose(kind, X.u8[x + c], X.i8[x + c]) - zero), scale, -0.0)",
    "for i < n:\n    choose[where, A.i32[4*d + 4*i], B.u8[d + i]] = least(k < 3, X.i32[4*x + 4*step*i + 4*k])",
    "for i < n:\n    D.u8[d + i] = select(within(at(x + step*i), 9) and within(zero, 4), lookup(T.f32[1024*x], X.u8[x]), 1.5)",
    "for i < n:\n    v0 = X.i32[4*x + k] - 3\n    D.i32[4*d] = sum(k < n, v0 * v0) - (v0 - -7)",
])
def test_text_by_hand(text):
    assert effect_text(parse_effect(text, FIELDS)) == text


def test_chains_need_no_parentheses_and_values_no_name_that_is_taken():
    terms = " + ".join(["X.i32[4*x]"] * 400)
    text = f"for i < n:\n    D.i32[4*d] = {terms} - (X.i32[4*x] - 1)"
    assert effect_text(parse_effect(text, FIELDS)) == text
    named = parse_effect("for v0 < n: a = X.i32[4*x + 4*v0] * 2; D.i32[4*d] = a + a", (*FIELDS, integer("v1", 0, 3)))
    assert parse_effect(effect_text(named), FIELDS) is not None


def test_values_may_stand_in_one_line():
    spaced = parse_effect("for i < n: a = X.i32[4 * x + i*4] * 2; D.i32[4*d + 4*i] = a + a", FIELDS)
    assert effect_text(spaced) == "for i < n:\n    v0 = X.i32[4*x + 4*i] * 2\n    D.i32[4*d + 4*i] = v0 + v0"


@pytest.mark.parametrize(("text", "message"), [
    ("D.u8[d] = X.u8[x]", "must be 'for LOOP < EXTENT, ...:' and assignments, not 'D.u8"),
    ("for i < n:", "must be 'for"),
    ("for i < n: D.u8[d] =", "must have Python's grammar"),
    ("for i > n: D.u8[d] = X.u8[x]", "i > n: a loop is NAME < EXTENT"),
    ("for i < m: D.u8[d] = X.u8[x]", "i < m: an extent is a field or a number"),
    ("for d < n: D.u8[d] = X.u8[x]", "d < n: a loop must not be called as a field is"),
    ("for i < n: D.u8[d + j] = X.u8[x]", "j: no field and no loop of whole numbers has this name"),
    ("for i < n: D.u8[d * x] = X.u8[x]", r"d \* x: not affine"),
    ("for i < n: D.u8[d / 2] = X.u8[x]", "d / 2: no index form"),
    ("for i < n: D.u16[d] = X.u8[x]", r"D.u16\[d\]: a type is one of u8, i8, i32, f32"),
    ("for i < n: D[d] = X.u8[x]", r"D\[d\]: an element is MEMORY.TYPE\[ADDRESS\]"),
    ("for i < n: choose[i, D.u8[d], E.u8[d]] = X.u8[x]", "i: a choice is made by a field"),
    ("for i < n: choose[where] = X.u8[x]", r"choose\[where\]: a choice is a field and its alternatives"),
    ("for i < n: D.u8[d] = cube(X.u8[x])", r"cube\(X.u8\[x\]\): there is no cube of 1"),
    ("for i < n: D.u8[d] = add(X.u8[x], 1)", "there is no add of 2"),
    ("for i < n: D.u8[d] = y", "y: no field and no value has this name"),
    ("for i < n: D.u8[d] = 'a'", "'a': no number of 32 bits"),
    ("for i < n: D.u8[d] = X.u8[x] / 2", "no expression of an effect"),
    ("for i < n: D.f32[d] = lookup(T.f32[2*x], 3)", r"T.f32\[2 \* x\]: a table begins at multiples of 4 bytes"),
    ("for i < n: d = 3; D.u8[d] = X.u8[x]", "d: a value needs a name of its own"),
    ("for i < n: D.u8[d + scale] = X.u8[x]", "scale: no field and no loop of whole numbers has this name"),
    ("for i < n: D.f32[d] = 1e39", r"1e\+39: no binary32 number"),
    ("for i < n) + (c < 4: D.u8[d] = X.u8[x]", "must have Python's grammar"),
    ("for i < n: D.u8[d] = 99999999999", "99999999999: no number of 32 bits"),
    ("for i < n: import os; D.u8[d] = X.u8[x]", "import os: an assignment is due"),
])
def test_refusals(text, message):
    with pytest.raises(CovenantError, match=f"^PRODUCT: .*{message}") as e:
        parse_effect(text, FIELDS, "PRODUCT")
    assert "\n" not in str(e.value)
