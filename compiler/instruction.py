"""An instruction of a program, before it is bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenon.acg.encoding import Header
from tenon.acg.mnemonic import Mnemonic

__all__ = ["Instruction"]


@dataclass(frozen=True)
class Instruction:
    """One instruction with complete fields; ``note`` says what it is for, in the listing."""

    mnemonic: Mnemonic
    fields: Mapping[str, object]
    header: Header = Header()
    note: str = ""
