"""Lowering: one layer and its mapping become instructions, or the reason why not."""

from tenon.compiler.lower.layer import lower

__all__ = ["lower"]
