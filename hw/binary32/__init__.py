"""Pipelined binary32 units: IEEE 754 rounded to nearest even, subnormals flushed to zero of their sign."""

from .add import Add
from .compare import MinMax, select_extreme
from .convert import FromInteger
from .fma import FusedMultiplyAdd
from .format import CANONICAL_NAN, MINUS_INFINITY, MINUS_ZERO, ONE, registers
from .multiply import Multiply
from .quantise import Quantise, RoundClamp

__all__ = ["CANONICAL_NAN", "MINUS_INFINITY", "MINUS_ZERO", "ONE", "Add", "FromInteger", "FusedMultiplyAdd", "MinMax",
           "Multiply", "Quantise", "RoundClamp", "registers", "select_extreme"]
