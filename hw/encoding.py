"""Where the bits of an instruction are, in hardware."""

from __future__ import annotations

from tenon.acg.encoding import Encoding

__all__ = ["ENCODING", "INSTRUCTION_BITS"]

INSTRUCTION_BITS = 1024
ENCODING = Encoding(INSTRUCTION_BITS, (("opcode", 0, 4), ("waits", 4, 16), ("release", 20, 16), ("done", 36, 16), ("mark", 52, 12)))
