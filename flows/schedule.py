"""Orders a network's operators for the least peak of live activations, and says what that saves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule import Problem, Schedule, schedule
from tenon.compiler.schedule.arena import Arena, arena
from tenon.compiler.schedule.heuristics import HEURISTICS
from tenon.compiler.schedule.model import problem_of
from tenon.compiler.schedule.rewrite import fold_concats, rewrite
from tenon.compiler.schedule.states import states_of
from tenon.flows.source import Source

__all__ = ["ALIGNMENT", "Ordered", "order_source"]

ALIGNMENT = 4  # bytes, of offsets in an arena


@dataclass(frozen=True)
class Ordered:
    """A network in several orders. ``problem`` has its concatenations folded unless they were to stay; ``rewritten`` its
    convolutions of concatenations part by part. ``heuristics``: peak of each, by name. ``arena``: offsets for the best order."""

    problem: Problem
    best: Schedule
    rewritten: Problem
    best_rewritten: Schedule
    heuristics: dict[str, int]
    arena: Arena

    @property
    def chosen(self) -> tuple[Problem, Schedule]:
        """The form with the lower peak; the arena is its."""
        if self.best_rewritten.peak < self.best.peak:
            return self.rewritten, self.best_rewritten
        return self.problem, self.best

    @property
    def file_peak(self) -> int:
        return self.problem.peak(self.problem.file_order)

    def to_json(self) -> str:
        """For other tools; the names are an interface."""
        fields = {
            "name": self.problem.name, "nodes": len(self.problem.operators), "peak_file_order": self.file_peak,
            "peak_heuristics": self.heuristics, "peak_optimal": self.best.peak, "proved": self.best.proved,
            "lower_bound": self.best.lower_bound, "nodes_rewritten": len(self.rewritten.operators),
            "peak_rewritten": self.best_rewritten.peak, "proved_rewritten": self.best_rewritten.proved,
            "lower_bound_rewritten": self.best_rewritten.lower_bound, "states": self.best.states + self.best_rewritten.states,
            "cells": [asdict(cell) for cell in self.best.cells], "cells_rewritten": [asdict(cell) for cell in self.best_rewritten.cells],
            "seconds": self.best.seconds + self.best_rewritten.seconds, "order": self.best.order,
            "order_rewritten": self.best_rewritten.order, "arena_bytes": self.arena.bytes, "arena_alignment": ALIGNMENT,
            "arena": {t: {"offset": offset, "bytes": self.chosen[0].sizes[t]} for t, offset in self.arena.offsets.items()},
        }
        return json.dumps(fields, indent=1) + "\n"


def order_source(source: Source, *, budget: int | None = None, explicit: bool = False, seconds: float = 50.0) -> Ordered:
    """Schedules a model. ``explicit``: concatenations are executed, as a model's file says; otherwise their readers take the
    pieces. ``budget``: bytes that the order must keep to, after rewriting. ``seconds``: for all searches together.

    Raises
    ------
    CompileError
        For a model without operators or whose memory cannot be known, and a budget that no order meets: with the proven minimum.
    """
    problem = problem_of(source.model, source.name)
    if not problem.operators:
        raise CompileError(f"{source.name}: has no operator that takes memory of its own: there is nothing to order")
    if not explicit:
        problem = fold_concats(problem)
    other = rewrite(problem)
    best = schedule(problem, seconds=0.4 * seconds, each=True)
    best_rewritten = schedule(other, seconds=0.4 * seconds, each=True)
    if budget is not None and min(best.peak, best_rewritten.peak) > budget:
        schedule(other, seconds=0.4 * seconds, budget=budget)  # says what is proved to be needed
    states = states_of(problem)
    everything = (1 << len(problem.operators)) - 1
    heuristics = {name: states.peak(order(states, 0, everything)) for name, order in HEURISTICS.items()}
    chosen, order = (other, best_rewritten.order) if best_rewritten.peak < best.peak else (problem, best.order)
    return Ordered(problem, best, other, best_rewritten, heuristics, arena(chosen, order, alignment=ALIGNMENT, seconds=0.2 * seconds))
