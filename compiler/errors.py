"""Errors that a user can mend."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CompileError", "NothingToComputeError", "UnsupportedError"]


class CompileError(Exception):
    """A model or a configuration that cannot be compiled; one line: what, where, what to do."""


class NothingToComputeError(CompileError):
    """A model that is supported and leaves the accelerator nothing to do."""


class UnsupportedError(CompileError):
    """Everything in a model that is not supported: ``reasons`` has an entry for each node; the message is one line."""

    def __init__(self, reasons: Sequence[str]):
        self.reasons = tuple(reasons)
        if len(self.reasons) == 1:
            super().__init__(f"the model cannot be compiled: {self.reasons[0]}")
        else:
            super().__init__(f"the model cannot be compiled, for {len(self.reasons)} reasons: {'; '.join(self.reasons)}")
