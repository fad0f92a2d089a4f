"""Operators as loop nests, each stated once; they name no machine, no memory and no unit."""

from compiler.codelets.codelet import Codelet
from compiler.codelets.conv import conv
from compiler.codelets.depthwise import depthwise
from compiler.codelets.elementwise import add, largest, lookup, multiply
from compiler.codelets.pool import average_pool, global_pool, max_pool
from compiler.codelets.rows import normalise, softmax

__all__ = ["Codelet", "add", "average_pool", "conv", "depthwise", "global_pool", "largest", "lookup", "max_pool", "multiply", "normalise",
           "softmax"]
