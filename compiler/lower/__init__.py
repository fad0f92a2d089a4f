"""Lowering: one layer and its mapping become instructions, or the reason why not."""

from compiler.lower.layer import lower
from compiler.lower.tiles import Home

__all__ = ["Home", "lower"]
