"""How a case ended."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Result", "Verdict"]


class Result(enum.StrEnum):
    """``EXACT`` and ``ONE_STEP`` passed on the accelerator, by the class of its least exact tensor (``flows/comparison.py``)."""

    EXACT = "exact"
    ONE_STEP = "one step"
    FLOAT = "float"  # nothing of the operator is left for the accelerator: the host computes it, or the compiler has
    REFUSED = "refused"  # with a message for the user
    WRONG = "wrong"
    CRASHED = "crashed"  # a traceback, a dead process, or no end


@dataclass(frozen=True)
class Verdict:
    """``why`` is one line. ``error_steps``: of the outputs that ONNX expects, the largest error in quantisation steps."""

    name: str
    kind: str
    operator: str
    result: Result
    why: str
    error_steps: float | None = None
