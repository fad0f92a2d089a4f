"""What is checked, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenon.tb.covenant.trial import Result, Trial

__all__ = ["Check", "Claim"]


@dataclass(frozen=True)
class Claim:
    """One promise: the attribute, what is promised, what was measured in RTL, and whether that is the same."""

    attribute: str
    promised: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Check:
    """A promise with the trials it takes; ``judge`` turns their results into what was measured, and a verdict."""

    attribute: str
    promised: str
    trials: tuple[Trial, ...]
    judge: Callable[[Sequence[Result]], tuple[str, bool]]

    def claim(self, results: Sequence[Result]) -> Claim:
        try:
            return Claim(self.attribute, self.promised, *self.judge(results))
        except (ValueError, LookupError, ArithmeticError) as error:  # what was waited for did not come
            return Claim(self.attribute, self.promised, f"cannot be measured: {type(error).__name__}: {error}", False)
