"""Sequencers: how a program's instructions come to their units, and what keeps them in order."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.acg.encoding import Encoding

__all__ = ["QueueSequencer"]


@dataclass(frozen=True)
class QueueSequencer:
    """A queue before each unit, and tokens between units.

    Instructions are dispatched in order into queues of ``queue_depth``; they wait for, and signal, counting ``tokens`` up to
    ``token_limit``. ``issue_cycles``: from one dispatched instruction to the next, of those that take longest. ``marks``: numbers of
    time stamps. How ``encoding`` is read is in ``acg.encoding``.
    """

    encoding: Encoding
    queue_depth: int
    tokens: int
    token_limit: int
    issue_cycles: int
    marks: int
