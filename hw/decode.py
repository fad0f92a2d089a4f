"""The bits of an instruction as a layout of named fields, for the engines."""

from __future__ import annotations

from amaranth.hdl import Shape
from amaranth.lib import data

from tenon.hw.encoding import ENCODING, INSTRUCTION_BITS

__all__ = ["layout"]


def layout(mnemonic) -> data.FlexibleLayout:
    """Layout over a whole instruction: the header's fields and the mnemonic's, under their names.

    An extent is seen as encoded, one less than its value.
    """
    fields = {name: data.Field(width, offset) for name, offset, width in ENCODING.header}
    for f, offset, width, is_signed in ENCODING.places(mnemonic):
        fields[f.name] = data.Field(Shape(width, is_signed), offset)
    return data.FlexibleLayout(INSTRUCTION_BITS, fields)
