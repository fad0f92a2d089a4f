"""What lowering takes for granted of a machine: checked before it begins, so that a program that compiles is right."""

from __future__ import annotations

from collections.abc import Iterator

from tenon.acg.errors import CovenantError
from tenon.acg.sequencer import QueueSequencer
from tenon.acg.validate import validate
from tenon.compiler.errors import CompileError
from tenon.compiler.machine import Machine

__all__ = ["check_supported"]


def check_supported(machine: Machine) -> None:
    """Raises CompileError, in one line, for a machine that no program can be made for."""
    try:
        validate(machine.graph)
    except CovenantError as error:
        raise CompileError(str(error)) from None
    for problem in _problems(machine):
        raise CompileError(f"{machine.graph.name}: {problem}")


def _problems(machine: Machine) -> Iterator[str]:
    graph = machine.graph
    if not isinstance(graph.sequencer, QueueSequencer):
        yield "no networks are compiled to packets yet"
        return
    ahead = graph.sequencer.token_limit - graph.sequencer.queue_depth - 1
    if ahead < 1:
        yield (f"a token's limit of {graph.sequencer.token_limit} must be at least {graph.sequencer.queue_depth + 2}: queues hold "
               f"{graph.sequencer.queue_depth} instructions")
