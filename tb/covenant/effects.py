"""What instructions do: every bit of every memory after random instructions, against their effects."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tenon.acg.encoding import Header
from tenon.acg.expr import walk
from tenon.acg.graph import Graph, Unit
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.compiler.instruction import Instruction
from tenon.compiler.tokens import place_tokens
from tenon.hw.registers import ErrorCode
from tenon.tb.covenant.claim import Check
from tenon.tb.covenant.stimuli import image
from tenon.tb.covenant.trial import Program, Result, Trial
from tenon.tb.functional import FunctionalSimulator, ProgramError, decode_program
from tenon.tb.memory_state import dump_bytes, dump_program, fill_data, fill_program
from tenon.tb.random_programs import SEGMENT_BYTES, random_instruction, small_parameters

__all__ = ["effect_check", "observed", "ordered_check", "surprise", "whole_state"]

_LEAST, _TRIALS = 16, 6  # instructions in a trial; trials
_WORK = 300  # steps of an instruction
_PAIRS, _FOLLOWING = 3, 8  # that follow each other at once; trials
_BRIEF = 8  # steps of these, so that the second begins before the first has ended
_AHEAD = 500  # cycles in which they gather in the queue


def observed(graph: Graph, body: Sequence[Instruction] | None, seed: int = 0) -> Trial:
    """Fills all memories, runs ``body``, and shows everything."""
    rng = np.random.default_rng(seed)
    number = {name: i for i, name in enumerate(graph.segment_names)}
    data = fill_data(graph, np.random.default_rng(1), small_parameters(graph))
    fill = Program(image(graph, fill_program(graph)), ((number["CONSTANTS"], data),))
    shown = number["OUTPUTS"]
    dump = Program(image(graph, dump_program(graph)), ((number["CONSTANTS"], data), (shown, bytes(dump_bytes(graph)))), frozenset({shown}))
    if body is None:
        return Trial((fill, dump))
    own = tuple((i, rng.bytes(SEGMENT_BYTES)) for i in number.values())
    return Trial((fill, Program(image(graph, body), own, frozenset(number.values())), dump))


def surprise(graph: Graph, trial: Trial, result: Result) -> str | None:
    """The first difference between ``result`` and what the covenant says of the trial; None if there is none."""
    simulator = FunctionalSimulator(graph.memory_bytes)
    for k, (program, outcome, shown) in enumerate(zip(trial.programs, result.outcomes, result.shown, strict=True)):
        if outcome.stuck:
            return "the program does not end"
        if outcome.error is not ErrorCode.NONE:
            return f"ends with {outcome.error.name} at instruction {outcome.index}"
        memory = {graph.segment_names[i]: np.frombuffer(contents, np.uint8).copy() for i, contents in program.contents}
        try:
            with np.errstate(invalid="ignore"):  # an effect that is not hardware's may make bytes of what is no number
                simulator.run(decode_program(program.image, graph), memory)
        except ProgramError as error:
            return f"hardware executes what is not legal: {error}"
        for i, seen in shown.items():
            wrong = int((np.frombuffer(seen, np.uint8) != memory[graph.segment_names[i]]).sum())
            if wrong:
                return f"{wrong} bytes differ in {'on-chip memories' if k == len(trial.programs) - 1 else graph.segment_names[i]}"
    return None


class _WholeState:
    """That memories hold what was written to them, every word of them."""

    def __init__(self, graph: Graph):
        self.graph, self.trials = graph, (observed(graph, None),)

    def judge(self, results: Sequence[Result]) -> str | None:
        return surprise(self.graph, self.trials[0], results[0])


def whole_state(graph: Graph) -> _WholeState:
    return _WholeState(graph)


def effect_check(graph: Graph, m: Mnemonic, attribute: str, promised: str) -> Check:
    """Random legal instructions of one mnemonic, bit for bit."""
    trials = tuple(observed(graph, _body(graph, m, seed), seed) for seed in range(_TRIALS))

    def judge(results):
        for trial, result in zip(trials, results, strict=True):
            if wrong := surprise(graph, trial, result):
                return wrong, False
        return f"as promised, {_TRIALS * _many(m)} instructions", True

    return Check(attribute, promised, trials, judge)


def _many(m: Mnemonic) -> int:
    """As many instructions as the effect has parts: each of them is to matter in some."""
    return max(_LEAST, sum(1 for _ in walk(m.effect.expr)))


def _body(graph: Graph, m: Mnemonic, seed: int) -> list[Instruction]:
    rng = random.Random(seed)
    body = [random_instruction(graph, m, graph.memory_bytes, rng, _WORK, plain=0.5) for _ in range(_many(m))]
    return place_tokens(graph, body)


def ordered_check(graph: Graph, unit: Unit, attribute: str) -> Check:
    """An instruction reads what its predecessor on the same unit has just written, without waiting for it."""
    mine = [m for m in graph.mnemonics if m.unit == unit.name]
    written = {a.memory for m in mine for a in accesses(m) if a.write}
    memories = sorted({a.memory for m in mine for a in accesses(m) if not a.write} & written & set(graph.memory_bytes))
    trials = [[observed(graph, _followers(graph, unit.name, mine, memory, k), k) for k in range(_FOLLOWING)] for memory in memories]

    def judge(results):
        kept = [memory for k, memory in enumerate(memories)
                if not any(surprise(graph, t, r) for t, r in zip(trials[k], results[k * _FOLLOWING:], strict=False))]
        return ", ".join(kept) or "none", set(kept) == set(unit.ordered)

    return Check(attribute, ", ".join(unit.ordered) or "none", tuple(t for group in trials for t in group), judge)


def _followers(graph: Graph, unit: str, mnemonics: Sequence[Mnemonic], memory: str, seed: int) -> list[Instruction]:
    """Pairs that wait for the pair before, but not within, and for something long before them all."""
    rng = random.Random(seed)
    others = [m for m in graph.mnemonics if m.unit != unit and all(a.memory in graph.memory_bytes for a in accesses(m))]
    while True:
        ahead = random_instruction(graph, rng.choice(others), graph.memory_bytes, rng, _AHEAD)
        if ahead.mnemonic.timing.cycles("occupancy", ahead.fields) >= _AHEAD:
            break
    program = [replace(ahead, header=Header(done=2))]
    for number in range(_PAIRS):
        pair = next(_overlapping(graph, mnemonics, memory, rng))
        program += [replace(pair[0], header=Header(waits=1 if number else 2)), replace(pair[1], header=Header(done=1))]
    return program


def _overlapping(graph: Graph, mnemonics: Sequence[Mnemonic], memory: str, rng: random.Random) -> Iterator[tuple[Instruction, Instruction]]:
    """A writer of ``memory`` and a reader of the same bytes."""
    while True:
        one, two = (random_instruction(graph, rng.choice(mnemonics), graph.memory_bytes, rng, _BRIEF, plain=0.7) for _ in range(2))
        theirs = [a for a in accesses(one.mnemonic) if a.write and a.memory == memory and a.chosen(one.fields)]
        ours = [a for a in accesses(two.mnemonic) if not a.write and a.memory == memory and a.chosen(two.fields)]
        if not theirs or not ours:
            continue
        a = rng.choice(ours)
        far = theirs[0].corners(one.fields)[0] - a.corners(two.fields)[0]
        fields = {**two.fields, a.base: two.fields[a.base] + far // a.unit}
        field = two.mnemonic.field(a.base)
        if field.low <= fields[a.base] <= field.high and not two.mnemonic.violations(fields, graph.memory_bytes):
            yield one, replace(two, fields=fields)
