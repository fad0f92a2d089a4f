"""Operators as loop nests, each stated once; they name no machine, no memory and no unit."""

from tenon.compiler.codelets.codelet import Codelet
from tenon.compiler.codelets.conv import conv
from tenon.compiler.codelets.depthwise import depthwise
from tenon.compiler.codelets.elementwise import add, largest, lookup, multiply
from tenon.compiler.codelets.pool import average_pool, global_pool, max_pool
from tenon.compiler.codelets.rows import normalise, softmax

__all__ = ["Codelet", "add", "average_pool", "conv", "depthwise", "global_pool", "largest", "lookup", "max_pool", "multiply", "normalise",
           "softmax"]
