"""The hardware's judgement of an instruction: what passes stays in its memories, what is refused would not. LOAD and STORE, whose
addresses are bytes; strides of three bits and extents of up to 4, with any base: the multipliers are the products of their halves."""

from tenon.acg.mnemonic import accesses
from tenon.hw.accelerator import engine_classes
from tenon.hw.buffers import memory_bytes
from tenon.hw.encoding import ENCODING
from tenon.hw.legality import Legality, longest_walk
from tenon.hw.presets import preset
from tenon.hw.registers import ErrorCode
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]

_PARAMS = preset("tiny")
_SIZES = memory_bytes(_PARAMS)
_MNEMONICS = [kind.mnemonic(_PARAMS) for name, kind in engine_classes(_PARAMS).items() if name in ("LOAD", "STORE")]
_LONGEST = longest_walk(_MNEMONICS, _SIZES)


def legality():
    return Legality(_MNEMONICS, _SIZES)


def _bits(offset: int, width: int) -> str:
    return f"i_instr[{offset + width - 1}:{offset}]"


_OPCODE = _bits(*ENCODING.place("opcode"))
_USED = max(map(ENCODING.used, _MNEMONICS))  # what lies beyond is never looked at


def _fields(mnemonic) -> tuple[dict[str, str], str, list[str]]:
    """Each field's value, in 48 bits; a field is out of its range; limits that keep the proof small."""
    values, wrong, small = {}, [], []
    strides = {s for a in accesses(mnemonic) for s, _ in a.terms if isinstance(s, str)}
    extents = {n for a in accesses(mnemonic) for _, n in a.terms}
    for f, offset, width, _ in ENCODING.places(mnemonic):
        bits = _bits(offset, width)
        sign = f"i_instr[{offset + width - 1}]" if f.low < 0 else "1'b0"
        raw = f"$signed({{{{{48 - width}{{{sign}}}}}, {bits}}})"
        values[f.name] = raw
        wrong.append(f"({raw} + 48'sd{max(f.low, 0)} > 48'sd{f.high})" + (f" || ({raw} < -48'sd{-f.low})" if f.low < 0 else ""))
        if f.name in strides:
            small.append(f"({raw} >= -48'sd4 && {raw} < 48'sd4)")
        elif f.name in extents:
            small.append(f"{raw} < 48'sd4")
    return values, " || ".join(wrong), small


def _constant(value: int) -> str:
    return f"48'sd{value}"


def _corner(access, values, pick) -> str:
    """The base and, of each term, what ``pick`` makes of its stride, its extent less 1, and the name of that."""
    terms = [f"({pick(values[s] if isinstance(s, str) else _constant(s), values[n], n)})" for s, n in access.terms]
    return " + ".join([values[access.base], *terms])


def _of(mnemonic) -> tuple[str, dict[str, str], str, str, str]:
    """Of a mnemonic: wires; limits; fields are wrong; an address is outside; a corner is."""
    values, wrong, small = _fields(mnemonic)
    outside, corner, wires = [], [], ""
    for i, access in enumerate(a for a in accesses(mnemonic) if a.memory in _SIZES):
        assert access.unit == access.span == 1
        allowed = ("(" + " || ".join(f"{values[option]} == {v}" for v in those) + ")" for option, those in access.conditions)
        chosen = " && ".join(["1", *allowed])
        name = f"{mnemonic.name.lower()}{i}"
        wires += f"""
wire signed [47:0] {name}_address = {_corner(access, values, lambda s, n, k: f"{s} * $signed({{44'd0, index_{k}}})")};
wire signed [47:0] {name}_low = {_corner(access, values, lambda s, n, k: f"({s} < 0) ? {s} * {n} : 48'sd0")};
wire signed [47:0] {name}_high = {_corner(access, values, lambda s, n, k: f"({s} < 0) ? 48'sd0 : {s} * {n}")};
"""
        outside.append(f"(({chosen}) && ({name}_address < 0 || {name}_address >= 48'sd{_SIZES[access.memory]}))")
        corner.append(f"(({chosen}) && ({name}_low < 0 || {name}_high >= 48'sd{_SIZES[access.memory]}))")
    indices = {n for a in accesses(mnemonic) for _, n in a.terms}
    small += [f"$signed({{44'd0, index_{n}}}) <= {values[n]}" for n in sorted(indices)]
    return wires, small, wrong, " || ".join(outside), " || ".join(corner)


_INDICES = sorted({n for m in _MNEMONICS for a in accesses(m) for _, n in a.terms})
_SPECS = [_of(m) for m in _MNEMONICS]
_IS = [f"({_OPCODE} == {m.opcode})" for m in _MNEMONICS]
_KNOWN = " || ".join(_IS)


def _either(position: int) -> str:
    return " || ".join(f"({known} && ({spec[position]}))" for known, spec in zip(_IS, _SPECS, strict=True))


_MODEL = past(f"instr = i_instr[{_USED - 1}:0]", _USED) + past("start") + f"""
{" ".join(f"(* anyconst *) wire [3:0] index_{n};" for n in _INDICES)}  // any step of the nest
reg working; reg [7:0] cycles; reg begun;
always @(posedge clk)
  if (rst) begin working <= 0; cycles <= 0; begun <= 0; end
  else begin begun <= begun || start; working <= (working || start) && !finish; cycles <= start ? 1 : working ? cycles + 1 : 0; end
""" + "".join(wires for wires, *_ in _SPECS)

PROPERTIES = [
    Property(
        name="legality", component=legality, bound=_LONGEST + 2, seconds=900,
        says="A judgement comes once, in time. An instruction that passes has all its fields in range, and no step of its nest leaves an "
             "on-chip memory; one that is refused for its addresses has a corner outside, for its fields a field out of range, and for "
             "its opcode an unknown one.",
        given=f"one instruction, right after reset; strides -4..3, extents up to 4; it is held until judged; "
              f"{_LONGEST} cycles are the longest walk",
        model=_MODEL,
        assumes={"held": f"!(working || past_start) || i_instr[{_USED - 1}:0] == past_instr", "once": "start == !begun",
                 **{f"small{i}": f"!{known} || (" + " && ".join(_SPECS[i][1]) + ")" for i, known in enumerate(_IS)}},
        asserts={"asked": "!finish || working", "soon": f"cycles <= {_LONGEST}",
                 "opcode": f"!finish || (error == 1) == !({_KNOWN})",
                 "fields": f"!finish || (error == {ErrorCode.FIELD.value}) == ({_either(2)})",
                 "inside": f"!(finish && error == 0) || !({_either(3)})",
                 "corner": f"!(finish && error == {ErrorCode.ADDRESS.value}) || {_either(4)}"},
        covers={"longest": f"finish && cycles == {_LONGEST} && error == 0", "address": f"finish && error == {ErrorCode.ADDRESS.value}",
                "field": f"finish && error == {ErrorCode.FIELD.value}"},
        bug=Bug("hw/legality.py", "Mux(product < 0, product, 0)", "Mux(product < 0, 0, product)"),
    ),
]
