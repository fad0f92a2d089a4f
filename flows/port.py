"""A port of a Verilog module."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Port"]


@dataclass(frozen=True)
class Port:
    """Its name, direction and bits."""

    name: str
    is_input: bool
    width: int

    @property
    def range(self) -> str:
        """As Verilog writes it: ``[31:0]``."""
        return f"[{self.width - 1}:0]"
