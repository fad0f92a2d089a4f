"""A problem as bit sets: a state is the set of executed operators, an integer; and the same problem backwards.

What is live depends on the state alone, not on the order that led to it. Let f(S) be the bytes live in state S. Every
tensor adds ``size * ([a writer is in S] - [all readers are in S])``, so f is submodular: what an operator adds to memory
never grows as more is executed before it. The safe reductions of the search all rest on that.

Read backwards, a tensor is allocated by the first of its readers and freed by the last of its writers: the reverse of a
problem is again one, with the same peaks for reversed orders. Searching from the end can be a thousand times cheaper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tenon.compiler.schedule.problem import Problem

__all__ = ["Links", "States", "bits", "states_of"]


def bits(state: int) -> Iterator[int]:
    """Members of a bit set, ascending."""
    while state:
        low = state & -state
        yield low.bit_length() - 1
        state ^= low


@dataclass(frozen=True)
class Links:
    """A tensor: its bytes, and its writers and readers as bit sets.

    ``early``: live before the first writer; ``late``: live after the last reader.
    """

    size: int
    writers: int
    readers: int
    early: bool
    late: bool


class States:
    """Transitions between sets of executed operators.

    predecessors, successors : list of bit set, list of list
        What must come before each operator, and directly depends on it.
    allocates : list of list of (bytes, bit set)
        For each operator, its tensors: allocated unless the state has one of the others that write it.
    releases : list of list of (bytes, bit set)
        Its tensors: freed if the state has all others that use it.
    reuses : list of (bytes, list of (bit set, bit set))
        Bytes saved while the operator runs if for one of the pairs the state has all of the first set and none of the
        second: the operand dies, and the result is new.
    together : list of bit set
        Operators whose effect on memory can change when this one is executed.
    """

    def __init__(self, count: int, tensors: Iterable[Links], predecessors: list[int], reuses: list[tuple[int, list[tuple[int, int]]]]):
        self.count, self.tensors, self.predecessors, self.reuses = count, tuple(tensors), predecessors, reuses
        self.all = (1 << count) - 1
        self.successors: list[list[int]] = [[] for _ in range(count)]
        for v in range(count):
            for u in bits(predecessors[v]):
                self.successors[u].append(v)
        self.allocates: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self.releases: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self.together = [sum(1 << w for w in self.successors[v]) for v in range(count)]
        for t in self.tensors:
            users = t.writers | t.readers
            for v in bits(users):
                self.together[v] |= users & ~(1 << v)
            if not t.early:
                for v in bits(t.writers):
                    self.allocates[v].append((t.size, t.writers & ~(1 << v)))
            if not t.late:
                for v in bits(t.readers or t.writers):
                    self.releases[v].append((t.size, users & ~(1 << v)))
        self.start_bytes = sum(t.size for t in self.tensors if t.early)

    def reversed(self) -> States:
        """The same problem from its end."""
        tensors = [Links(t.size, t.readers or t.writers, t.writers if t.readers else 0, t.late, t.early) for t in self.tensors]
        predecessors = [sum(1 << w for w in successors) for successors in self.successors]
        return States(self.count, tensors, predecessors, [(size, [(b, a) for a, b in pairs]) for size, pairs in self.reuses])

    def bytes_in(self, state: int) -> int:
        """f(state)."""
        return sum(t.size for t in self.tensors if (t.early or t.writers & state) and (t.late or (t.writers | t.readers) & ~state))

    def ready(self, state: int) -> int:
        """Operators that can be executed next."""
        return sum(1 << v for v in bits(self.all & ~state) if not self.predecessors[v] & ~state)

    def during(self, v: int, state: int, live: int) -> int:
        """Bytes live while ``v`` runs in ``state``, of which ``live`` are there before."""
        for size, others in self.allocates[v]:
            if not others & state:
                live += size
        size, pairs = self.reuses[v]
        for needed, absent in pairs:
            if not needed & ~state and not absent & state:
                return live - size
        return live

    def after(self, v: int, state: int, live: int) -> int:
        """Bytes live after ``v`` has run in ``state``."""
        for size, others in self.allocates[v]:
            if not others & state:
                live += size
        for size, others in self.releases[v]:
            if not others & ~state:
                live -= size
        return live

    def peak(self, order: Iterable[int], state: int = 0, live: int | None = None) -> int:
        """The most bytes live while ``order`` runs from ``state``."""
        live = self.bytes_in(state) if live is None else live
        peak = live
        for v in order:
            peak = max(peak, self.during(v, state, live))
            live = self.after(v, state, live)
            state |= 1 << v
        return peak


def states_of(problem: Problem) -> States:
    """A problem's states; operator v is ``problem.operators[v]``."""
    outputs = set(problem.outputs)
    inputs = set(problem.inputs)
    mask = {t: _set(problem.writers.get(t, ())) for t in (*problem.inputs, *problem.writers)}
    readers = {t: _set(problem.readers.get(t, ())) for t in mask}
    tensors = [Links(problem.sizes[t], mask[t], readers[t], t in inputs, t in outputs) for t in mask]
    reuses: list[tuple[int, list[tuple[int, int]]]] = []
    for v, op in enumerate(problem.operators):
        size = problem.sizes[op.outputs[0]] if op.in_place else 0
        pairs = [(readers[t] & ~(1 << v), 0) for t in op.in_place if t not in outputs and problem.sizes[t] >= size]
        reuses.append((size, pairs))
    return States(len(problem.operators), tensors, [_set(p) for p in problem.predecessors], reuses)


def _set(members: Iterable[int]) -> int:
    return sum(1 << v for v in members)
