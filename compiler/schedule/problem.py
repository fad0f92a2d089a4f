"""Operators over tensors, and what an order of them costs in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tenon.compiler.errors import CompileError

__all__ = ["Moment", "Operator", "Problem"]


@dataclass(frozen=True)
class Operator:
    """What is executed at once: it reads ``inputs`` and writes ``outputs``, names of tensors.

    kind : str
        "conv", "depthwise" and "concat" mean something to folding and rewriting; anything else is kept as it is.
    in_place : tuple of str
        Inputs whose bytes the (only) output may take over, if this operator is their last reader and they are not smaller.
    accumulates : bool
        It adds to its output, which other accumulating operators share: they come in any order, the first one allocates
        it, and whoever reads it waits for all of them.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str = ""
    in_place: tuple[str, ...] = ()
    accumulates: bool = False


class Moment(NamedTuple):
    """Bytes that are live while an operator runs, and after it."""

    during: int
    after: int


@dataclass(frozen=True)
class Problem:
    """A network to be ordered, ``operators`` in file order.

    A tensor is live from its first writer (graph inputs: from the start) to its last reader (graph outputs: to the end;
    what nobody reads: to the end of its writer). While an operator runs, what it reads and what it writes is live.

    sizes : mapping of tensor name to bytes, at least 1
    inputs, outputs : tuple of str
        Tensors of the graph, which may be both. Without ``outputs``, every tensor that nothing reads is one.

    Raises
    ------
    CompileError
        In one line, for a cycle, an empty tensor, an operator whose results are of no use, and names that do not fit.
    """

    name: str
    operators: tuple[Operator, ...]
    sizes: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] | None = None
    _positions: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.outputs is None:
            read = {t for op in self.operators for t in op.inputs}
            unread = (t for op in self.operators for t in op.outputs if t not in read)
            object.__setattr__(self, "outputs", tuple(dict.fromkeys(unread)))
        object.__setattr__(self, "_positions", {op.name: i for i, op in enumerate(self.operators)})
        self._check()

    @cached_property
    def writers(self) -> dict[str, tuple[int, ...]]:
        """Positions of the operators that write each tensor, several only for an accumulated one."""
        return _gather((t, i) for i, op in enumerate(self.operators) for t in op.outputs)

    @cached_property
    def readers(self) -> dict[str, tuple[int, ...]]:
        """Positions of the operators that read each tensor."""
        return _gather((t, i) for i, op in enumerate(self.operators) for t in dict.fromkeys(op.inputs))

    @cached_property
    def predecessors(self) -> tuple[frozenset[int], ...]:
        """For each operator, the operators that must come before it because it reads what they write."""
        return tuple(frozenset(w for t in op.inputs for w in self.writers.get(t, ())) for op in self.operators)

    @cached_property
    def file_order(self) -> tuple[str, ...]:
        """The operators as listed, one that comes too early moved to where its operands exist."""
        return tuple(self.operators[i].name for i in _topological(self.predecessors)[0])

    def position(self, name: str) -> int:
        """Where an operator stands in ``operators``."""
        return self._positions[name]

    def moments(self, order: Sequence[str]) -> list[Moment]:
        """Live bytes during and after each operator of ``order``.

        Raises
        ------
        ValueError
            If ``order`` is not all operators, each after what it reads.
        """
        if sorted(order) != sorted(self._positions):
            raise ValueError(f"an order of {self.name} must name each of its {len(self.operators)} operators once")
        waiting = {t: len(r) for t, r in self.readers.items()}
        missing = {t: len(w) for t, w in self.writers.items()}
        kept, sizes = set(self.outputs), self.sizes
        live = sum(sizes[t] for t in self.inputs)
        moments = []
        for name in order:
            op = self.operators[self._positions[name]]
            for t in op.inputs:
                if missing.get(t):
                    raise ValueError(f"{name} reads {t} before it is written")
            during = live + sum(sizes[t] for t in op.outputs if missing[t] == len(self.writers[t]))
            after = during
            for t in dict.fromkeys(op.inputs):
                waiting[t] -= 1
                if not waiting[t] and t not in kept:
                    after -= sizes[t]
            for t in op.outputs:
                missing[t] -= 1
                if t not in waiting and t not in kept:
                    after -= sizes[t]
            if self.taken_over(op, lambda t: not waiting[t]) is not None:
                during -= sizes[op.outputs[0]]
            moments.append(Moment(during, after))
            live = after
        return moments

    def peak(self, order: Sequence[str]) -> int:
        """The most bytes that are live at once; the graph's inputs count even if nothing runs."""
        return max((m.during for m in self.moments(order)), default=sum(self.sizes[t] for t in self.inputs))

    def taken_over(self, op: Operator, dies) -> str | None:
        """The input whose bytes ``op`` gives to its output, if any; ``dies(tensor)`` says that ``op`` is its last reader."""
        for t in op.in_place:
            if t not in self.outputs and self.sizes[t] >= self.sizes[op.outputs[0]] and dies(t):
                return t
        return None

    def lifetimes(self, order: Sequence[str]) -> dict[str, tuple[int, int]]:
        """First and last step (both included) at which each tensor is live; step i is the i-th operator of ``order``."""
        step = {self._positions[name]: i for i, name in enumerate(order)}
        last = len(order) - 1
        kept = set(self.outputs)
        spans = {}
        for t in (*self.inputs, *self.writers):
            first = 0 if t not in self.writers else min(step[w] for w in self.writers[t])
            spans[t] = first, last if t in kept else max(step[i] for i in (*self.readers.get(t, ()), *self.writers.get(t, ())))
        return spans

    def _check(self) -> None:
        if len(self._positions) != len(self.operators):
            twice = [op.name for i, op in enumerate(self.operators) if self._positions[op.name] != i]
            raise CompileError(f"{self.name}: two operators are called {twice[0]!r}; names must differ")
        for t in self.inputs:
            if t in self.writers:
                raise CompileError(f"{self.name}: {t!r} is an input of the graph, but {self._op(self.writers[t][0])} writes it")
            if t not in self.readers and t not in self.outputs:
                raise CompileError(f"{self.name}: nothing reads the input {t!r}; leave it out")
        for t, writers in self.writers.items():
            if len(writers) > 1 and not all(self.operators[w].accumulates for w in writers):
                raise CompileError(f"{self.name}: {self._op(writers[0])} and {self._op(writers[1])} both write {t!r}")
        for op in self.operators:
            self._check_operator(op)
        for t in self.outputs:
            if t not in self.writers and t not in self.inputs:
                raise CompileError(f"{self.name}: nothing writes the output {t!r}")
        order, stuck = _topological(self.predecessors)
        if stuck:
            names = [self.operators[i].name for i in _cycle(stuck, self.predecessors)]
            raise CompileError(f"{self.name}: the operators wait for each other in a cycle: {' -> '.join((*names, names[0]))}")

    def _check_operator(self, op: Operator) -> None:
        for t in (*op.inputs, *op.outputs):
            if t not in self.sizes:
                raise CompileError(f"{self.name}: operator {op.name!r} uses {t!r}, whose size is not given")
            if self.sizes[t] < 1:
                raise CompileError(f"{self.name}: tensor {t!r} of operator {op.name!r} must have at least 1 byte, not {self.sizes[t]}")
        for t in op.inputs:
            if t not in self.writers and t not in self.inputs:
                raise CompileError(f"{self.name}: operator {op.name!r} reads {t!r}, which nothing writes")
        if not any(t in self.readers or t in self.outputs for t in op.outputs):
            raise CompileError(f"{self.name}: nothing reads what operator {op.name!r} writes; make it an output or drop the operator")
        if op.in_place and (op.accumulates or len(op.outputs) != 1 or not set(op.in_place) <= set(op.inputs)):
            raise CompileError(f"{self.name}: operator {op.name!r} can only take over its own inputs, for one output that it alone writes")

    def _op(self, position: int) -> str:
        return f"operator {self.operators[position].name!r}"


def _gather(pairs) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}


def _topological(predecessors: Sequence[frozenset[int]]) -> tuple[list[int], set[int]]:
    """Listed order as far as it can be kept, and what is left over because of a cycle."""
    order: list[int] = []
    done: set[int] = set()
    pending = list(range(len(predecessors)))
    while pending:
        later = []
        for i in pending:
            if predecessors[i] <= done:
                order.append(i)
                done.add(i)
            else:
                later.append(i)
        if len(later) == len(pending):
            return order, set(later)
        pending = later
    return order, set()


def _cycle(stuck: set[int], predecessors: Sequence[frozenset[int]]) -> list[int]:
    """One cycle among operators each of which waits for another of them, in the order of execution."""
    path: list[int] = []
    at = min(stuck)
    while at not in path:
        path.append(at)
        at = min(predecessors[at] & stuck)
    return path[path.index(at):][::-1]
