"""Random problems, and the peak by trying every order."""

from __future__ import annotations

import functools
import random

from tenon.compiler.schedule import Operator, Problem

__all__ = ["least_peak", "random_problem"]


def random_problem(rng: random.Random, most: int, *, in_place: bool = False) -> Problem:
    """Up to ``most`` operators with up to two inputs of the graph, several results, concatenations and early outputs, also of inputs."""
    sizes = {f"x{i}": rng.randint(1, 12) * 4 for i in range(rng.randint(1, 2))}
    inputs = tuple(sizes)
    operators: list[Operator] = []
    for i in range(rng.randint(2, most)):
        reads = tuple(rng.sample(list(sizes), rng.randint(1, min(4, len(sizes)))))
        if i < len(inputs) and inputs[i] not in reads:
            reads += (inputs[i],)  # so that each input is read
        kind = rng.choice(("conv", "conv", "depthwise", "concat", ""))
        if kind == "depthwise":
            total = sum(sizes[t] for t in reads)
            results = {f"t{i}": total * rng.choice((1, 2))}
        elif kind == "concat":
            results = {f"t{i}": sum(sizes[t] for t in reads)}
        else:
            results = {f"t{i}{c}": rng.randint(1, 12) * 4 for c in ("ab" if not kind and rng.random() < 0.3 else "a")}
        taken = tuple(t for t in reads if rng.random() < 0.7) if in_place and kind == "" and len(results) == 1 else ()
        operators.append(Operator(f"n{i}", reads, tuple(results), kind, taken))
        sizes |= results
    read = {t for op in operators for t in op.inputs}
    outputs = [t for op in operators for t in op.outputs if t not in read or rng.random() < 0.1]
    outputs += [x for x in inputs if rng.random() < 0.1]
    assert read >= set(inputs)
    rng.shuffle(operators)  # the file order need not be an order
    return Problem("random", tuple(operators), sizes, inputs, tuple(outputs))


def least_peak(problem: Problem) -> int:
    """The smallest peak over all orders, straight from the definition of what is live."""
    sizes = problem.sizes
    readers = {t: {op.name for op in problem.operators if t in op.inputs} for t in sizes}
    writers = {t: {op.name for op in problem.operators if t in op.outputs} for t in sizes}

    def live(done: frozenset[str]) -> set[str]:
        begun = {t for t in sizes if t in problem.inputs or writers[t] & done}
        return {t for t in begun if t in problem.outputs or not readers[t] | writers[t] <= done}

    @functools.cache
    def least(done: frozenset[str]) -> int:
        before = live(done)
        peaks = []
        for op in problem.operators:
            if op.name in done or any(not writers[t] <= done for t in op.inputs):
                continue
            after = done | {op.name}
            during = sum(sizes[t] for t in before | set(op.outputs))
            if any(t not in live(after) and sizes[t] >= sizes[op.outputs[0]] for t in op.in_place):
                during -= sizes[op.outputs[0]]
            peaks.append(max(during, least(after)))
        return min(peaks, default=0)

    return max(least(frozenset()), sum(sizes[t] for t in problem.inputs))
