"""Errors that a user can mend."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CompileError", "UnsupportedError"]


class CompileError(Exception):
    """A model or a configuration that cannot be compiled; one line: what, where, what to do."""


class UnsupportedError(CompileError):
    """Everything in a model that is not supported: ``reasons`` has a line for each node."""

    def __init__(self, reasons: Sequence[str]):
        self.reasons = tuple(reasons)
        super().__init__(f"{len(self.reasons)} node{'s'[:len(self.reasons) != 1]} not supported: " + "; ".join(self.reasons))
