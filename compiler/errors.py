"""Errors that a user can mend."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CompileError", "UnsupportedError"]


class CompileError(Exception):
    """A model or a configuration that cannot be compiled; one line: what, where, what to do."""


class UnsupportedError(CompileError):
    """Everything in a model that is not supported: ``reasons`` has a line for each node.

    The message is one line if there is one reason, else a line of summary and a line for each reason.
    """

    def __init__(self, reasons: Sequence[str]):
        self.reasons = tuple(reasons)
        if len(self.reasons) == 1:
            super().__init__(f"the model cannot be compiled: {self.reasons[0]}")
        else:
            lines = "".join(f"\n  {reason}" for reason in self.reasons)
            super().__init__(f"the model cannot be compiled, for {len(self.reasons)} reasons:{lines}")
