"""The address nest: three levels, one operand that all of them move and one that the middle one does not. Extents up to 4, addresses of
6 bits: neither the adders nor the counters know how wide they are."""

from tenon.hw.nest import AddressNest
from tenon.tb.formal.prop import Bug, Property

__all__ = ["PROPERTIES"]

_LEVELS, _OPERANDS, _BITS = ("o", "m", "i"), {"all": ("o", "m", "i"), "some": ("o", "i")}, 6


def nest():
    return AddressNest(_LEVELS, _OPERANDS, widths=dict.fromkeys(_OPERANDS, _BITS), indices=dict.fromkeys(_LEVELS, 3))


_WITHIN = {"o": "ends_m && ends_i", "m": "ends_i", "i": "1"}  # a level steps, or starts over
_MOVED = [(operand, level) for operand, moved_by in _OPERANDS.items() for level in moved_by]
_MODEL = "\n".join([
    "reg loaded; reg [6:0] steps;  // taken since it was loaded",
    *(f"reg [2:0] at_{level}, count_of_{level};" for level in _LEVELS),
    *(f"reg [{_BITS - 1}:0] base_of_{operand};" for operand in _OPERANDS),
    *(f"reg [{_BITS - 1}:0] stride_of_{operand}_{level}, sum_{operand}_{level};  // the sum is index times stride"
      for operand, level in _MOVED),
    *(f"wire ends_{level} = at_{level} == count_of_{level};" for level in _LEVELS),
    "always @(posedge clk) if (rst) loaded <= 0; else if (load) begin",
    "  loaded <= 1; steps <= 0;",
    *(f"  at_{level} <= 0; count_of_{level} <= count_{level};" for level in _LEVELS),
    *(f"  base_of_{operand} <= base_{operand};" for operand in _OPERANDS),
    *(f"  stride_of_{operand}_{level} <= stride_{operand}_{level}; sum_{operand}_{level} <= 0;" for operand, level in _MOVED),
    "end else if (step) begin",
    "  steps <= steps + 1;",
    "  at_i <= ends_i ? 0 : at_i + 1;",
    "  if (ends_i) at_m <= ends_m ? 0 : at_m + 1;",
    "  if (ends_i && ends_m) at_o <= at_o + 1;",
    *(f"  if ({_WITHIN[level]}) sum_{operand}_{level} <= ends_{level} ? 0 : sum_{operand}_{level} + stride_of_{operand}_{level};"
      for operand, level in _MOVED),
    "end",
])


def _address(operand: str, moved_by) -> str:
    return f"(base_of_{operand} + " + " + ".join(f"sum_{operand}_{level}" for level in moved_by) + f") & {2**_BITS - 1}"


_INNER = {f"{level}_{name}": bits for level in _LEVELS for name, bits in
          (("left", 16), ("index", 3), ("at_last", 1), ("steps", 1), ("count", 16), ("single", 1))}
_INNER |= {f"{operand}_{level}_address": _BITS for operand, level in _MOVED}
_INNER |= {"all_at_last": 1, "within_o_single": 1, "within_m_single": 1} | {f"{operand}_{level}_stride": _BITS for operand, level in _MOVED}
_HELPERS = {
    **{f"kept_{l}": f"!loaded || (\\dut.{l}_count == count_of_{l} && \\dut.{l}_single == (count_of_{l} == 0) && count_of_{l} < 4)"
       for l in _LEVELS},
    **{f"left_{l}": f"!loaded || (\\dut.{l}_left == count_of_{l} - at_{l} && at_{l} <= count_of_{l} && \\dut.{l}_at_last == ends_{l})"
       for l in _LEVELS},
    "within": "!loaded || (\\dut.within_o_single == (count_of_m == 0 && count_of_i == 0) && \\dut.within_m_single == (count_of_i == 0))",
    "all_at_last": "!loaded || \\dut.all_at_last == (" + " && ".join(f"ends_{l}" for l in _LEVELS) + ")",
    **{f"moves_{l}": f"!loaded || \\dut.{l}_steps == (!ends_{l} && {_WITHIN[l]})" for l in _LEVELS},
    **{f"stride_{o}_{l}": f"!loaded || \\dut.{o}_{l}_stride == stride_of_{o}_{l}" for o, l in _MOVED},
    **{f"sum_{o}_{l}": f"!loaded || sum_{o}_{l} == ((at_{l} * stride_of_{o}_{l}) & {2**_BITS - 1})" for o, l in _MOVED},
    **{f"from_{o}_{l}": f"!loaded || \\dut.{o}_{l}_address == ({_address(o, _OPERANDS[o][:k + 1])})"
       for o in _OPERANDS for k, l in enumerate(_OPERANDS[o])},
}

PROPERTIES = [
    Property(
        name="nest", component=nest, induction=2, quick=True,
        says="At every step each address is its base plus, for each level, index times stride; indices run through the nest in order, "
             "innermost fastest; last is high exactly at the end, after as many steps as the product of the extents, less one.",
        given="no step at the end; extents up to 4, addresses of 6 bits",
        model=_MODEL, observed=_INNER,
        assumes={**{f"count_{level}": f"count_{level} < 4" for level in _LEVELS}, "step": "!step || load || (loaded && !last)"},
        helpers=_HELPERS,
        asserts={**{o: f"!loaded || address_{o} == ({_address(o, m)})" for o, m in _OPERANDS.items()},
                 **{f"index_{l}": f"!loaded || (index_{l} == at_{l} && first_{l} == (at_{l} == 0) && last_{l} == ends_{l})"
                    for l in _LEVELS},
                 "last": "!loaded || last == (ends_o && ends_m && ends_i)",
                 "count": "!loaded || steps == (at_o * (count_of_m + 4'd1) + at_m) * (count_of_i + 4'd1) + at_i"},
        covers={"end": "loaded && last && steps == 23", "one": "loaded && last && steps == 0"},
        bug=Bug("hw/nest.py", "level if level in moved_by else around", "around or level"),
    ),
]
