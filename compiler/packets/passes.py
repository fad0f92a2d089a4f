"""Statements whose results need nothing of each other: elementwise, pooling, depthwise. A round makes a few results, one loop all rounds.

A register holds as many *planes* of bytes as an instruction stores at once. Where results of a loop lie side by side, a round makes a
register of them: its loads are shared, what computes on bytes does all planes at once, what computes on numbers one after the other.
"""

from __future__ import annotations

import itertools
import math

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.expr import Load, Loop, Nest, Reduce, Val, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.packet import Packet, Reference
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.cover import Cover, Covers, Step
from tenon.compiler.packets.forms import base_of, offset_of, steps_of, unit_of
from tenon.compiler.packets.kernel import Kernel
from tenon.compiler.packets.modulo import Instance, Value, schedule
from tenon.compiler.packets.operands import Numbers, Streams
from tenon.compiler.packets.roles import Roles, lane_loop
from tenon.compiler.packets.statement import canonical, raw, unrolled

__all__ = ["pass_kernel"]

_MOST_TERMS = 64  # of a sum that a round unrolls
_Where = tuple[str, int, tuple[int, ...]]  # base, bytes behind it, steps of the outer loops


def pass_kernel(graph: Graph, nest: Nest) -> Kernel:
    """The kernel of a placed statement: its operands' addresses are parameters, its results lie apart from its operands.

    Its loads may reach behind an operand's end, by less than a register.

    Raises
    ------
    CompileError
        If no instructions do it, or registers, streams or steps do not suffice.
    """
    roles = Roles(graph, nest.destination.operand.name)
    lane = lane_loop(nest, roles)
    expr, element = raw(canonical(nest.expr), nest.destination.operand.element)
    found = Covers(graph, lane, roles.lanes).of(unrolled(expr), element)
    if found is None or isinstance(found[1].leaf, Val):
        raise CompileError("no instructions compute it")
    cover, refused = found[1], None
    memory = roles.vectors if cover.step is None else cover.step.target.operand.name
    loops = _merged(nest, lane, [nest.destination, *_leaves(cover)])
    size = roles.lanes * ELEMENT_BYTES[element]
    for side in _sides(nest, loops, size, graph.memory(memory).word_bytes // size):
        try:
            return _Pass(graph, roles, nest.destination, lane, loops, cover, side, roles.store(memory, side * size)).kernel()
        except CompileError as error:
            refused = refused or error
    raise refused


def _leaves(cover: Cover) -> list[Load]:
    covers = [cover, *(c for step in cover.steps for c in step.operands.values())]
    return [c.leaf for c in covers if isinstance(c.leaf, Load)]


def _merged(nest: Nest, lane: str, operands: list[Load]) -> list[Loop]:
    """Loops of the results beside lanes, innermost first: one that goes on where another ends is one with it, for every operand."""
    steps = [steps_of(load) for load in operands]
    own = steps[0]
    rest = sorted((l for l in nest.loops if l.name != lane and l.extent > 1), key=lambda l: own.get(l.name, 0))
    found: list[Loop] = []
    for loop in rest:
        if found and all(s.get(loop.name, 0) == found[-1].extent * s.get(found[-1].name, 0) for s in steps):
            found[-1] = Loop(found[-1].name, found[-1].extent * loop.extent)
        else:
            found.append(loop)
    return found


def _sides(nest: Nest, loops: list[Loop], size: int, planes: int) -> list[int]:
    """How many results of the innermost loop a round may make: as many as a register holds where they lie side by side, or one."""
    close = loops and steps_of(nest.destination).get(loops[0].name) == size
    return [planes, 1] if close and loops[0].extent >= planes > 1 else [1]


class _Pass:
    def __init__(self, graph: Graph, roles: Roles, target: Load, lane: str, loops: list[Loop], cover: Cover, side: int,
                 store: Mnemonic):
        self.graph, self.roles, self.target, self.lane, self.side = graph, roles, target, lane, side
        self.cover, self.store = cover, store
        self.inner = loops[0].name if loops else ""
        rounds, hop = _rounds(loops[0].extent, side) if loops else (1, 0)
        self.outer = [(rounds, {self.inner: hop}), *((l.extent, {l.name: 1}) for l in loops[1:])]
        self.rounds = math.prod(extent for extent, _ in self.outer)
        self.streams, self.numbers = Streams(graph), Numbers(graph, roles)
        self.instances: list[Instance] = []
        self.all_values: list[Value] = []
        self.results: dict[tuple[int, int], tuple[Value, int]] = {}
        self.wanted: list[tuple[Instance, str, Load, Load, int, dict[str, int]]] = []  # reads of memory, to be given registers
        self.groups: dict[tuple[str, tuple[int, ...]], list[tuple[int, int]]] = {}  # streams, with what they begin at

    def kernel(self) -> Kernel:
        if self.cover.step is not None:
            for k in range(self.side):
                self._value(self.cover, k)
        self._store()
        made = schedule(self.graph, [*self._loads(), *self.instances], self.all_values)
        setup, scalars = self.numbers.setup({value.memory for value in self.all_values})
        late = max(i.visible for i in self.instances)
        packets = [*made.packets(self.rounds), *[Packet()] * late]
        return Kernel(tuple(setup), tuple(packets), tuple(self.streams.streams), scalars)

    # Values.

    def _new(self, memory: str) -> Value:
        self.all_values.append(Value(memory))
        return self.all_values[-1]

    def _wide(self, step: Step) -> bool:
        """Whether an instruction writes a whole register of bytes, all planes at once."""
        own = [loop.extent for loop in step.mnemonic.effect.loops]
        element = step.target.operand.element
        return ELEMENT_BYTES[element] == 1 and math.prod(own) == self.graph.memory(step.target.operand.name).word_bytes

    def _value(self, cover: Cover, k: int) -> tuple[Value, int]:
        """The register of result ``k``'s value of a step, and the byte in it from which on it lies."""
        step = cover.step
        wide, width = self._wide(step), ELEMENT_BYTES[step.target.operand.element]
        byte = k * self.roles.lanes * width if width == 1 else 0
        at = id(step), 0 if wide or width == 1 else k
        if (id(step), k) not in self.results:
            value = self.results[at][0] if at in self.results else self._new(step.target.operand.name)
            if not (wide and at in self.results):
                self._compute(step, k, value, 0 if wide else byte)
            else:  # this one is among those that were made at once, its operands are not
                for operand in step.operands.values():
                    if operand.step is not None:
                        self._value(operand, k)
            self.results[at] = value, 0
            self.results[id(step), k] = value, byte
        return self.results[id(step), k]

    def _compute(self, step: Step, k: int, value: Value, byte: int) -> None:
        """Instructions of a step; a sum over more than an instruction sums goes from one to the next."""
        inner, points = self._sum(step)
        memory, begun = value.memory, None
        for number, point in enumerate(points):
            last = number == len(points) - 1
            target = value if last else self._new(memory)
            instance = Instance(step.mnemonic, dict(step.values))
            for name, cover in step.operands.items():
                read = step.reads[name]
                if name == step.folded and number:
                    self._read(instance, name, read, *begun)
                elif isinstance(cover.leaf, Val):
                    instance.values[name] = self.numbers.place(cover.leaf, read)
                elif isinstance(cover.leaf, Load):
                    self._check(cover.leaf, wide=self._wide(step))
                    self.wanted.append((instance, name, read, cover.leaf, k, point))
                else:
                    if (inner or len(points) > 1) and name != step.folded:
                        raise CompileError("what is summed must be operands, not computed")
                    self._read(instance, name, read, *self._value(cover, k))
            instance.values |= dict(self.numbers.table(ours, theirs, self.streams) for ours, theirs in step.tables)
            self._place(instance, step.result, step.target, target, byte if last else 0)
            instance.writes(target)
            self.instances.append(instance)
            begun = target, 0

    def _sum(self, step: Step) -> tuple[dict[str, str], list[dict[str, int]]]:
        """Which loop of a sum each of the instruction's own loops is, and the points of the others."""
        if not step.reductions:
            return {}, [{}]
        (ours, theirs), *more = step.reductions
        inner: dict[str, str] = {}
        for loop in theirs.loops:
            fitting = [l.name for l in ours.loops if l.extent == loop.extent and l.name not in inner.values() and all(
                steps_of(c.leaf).get(l.name, 0) == steps_of(step.reads[name]).get(loop.name, 0)
                for name, c in step.operands.items() if isinstance(c.leaf, Load) and name != step.folded)]
            if not fitting:
                raise CompileError(f"{loop.extent} elements of a sum must lie as {step.mnemonic.name} takes them")
            inner[loop.name] = fitting[0]
        rest = [l for l in ours.loops if l.name not in inner.values() and l.extent > 1]
        count = math.prod(l.extent for l in rest)
        if more or count > _MOST_TERMS or count > 1 and step.folded is None:
            raise CompileError(f"a sum of {count} times what {step.mnemonic.name} sums")
        return inner, [dict(zip((l.name for l in rest), point)) for point in itertools.product(*(range(l.extent) for l in rest))]

    def _check(self, leaf: Load, *, wide: bool) -> None:
        """An operand must lie in memory as the instruction finds it in a register."""
        steps, width = steps_of(leaf), ELEMENT_BYTES[leaf.operand.element]
        if steps.get(self.lane, 0) != width:
            raise CompileError("elements of an operand must lie side by side as results do")
        if wide and self.side > 1 and steps.get(self.inner, 0) != self.roles.lanes:
            raise CompileError("operands of what computes on whole registers must lie as its results do")

    def _read(self, instance: Instance, name: str, read: Load, value: Value, byte: int) -> None:
        unit = unit_of(read)
        if byte % unit:
            raise CompileError(f"{instance.mnemonic.name} cannot read from byte {byte} of a register on")
        instance.places[name] = value, byte, unit
        instance.reads(value)

    def _place(self, instance: Instance, name: str, target: Load, value: Value, byte: int) -> None:
        instance.places[name] = value, byte, unit_of(target)

    # Memory.

    def _where(self, load: Load, k: int, point: dict[str, int]) -> _Where:
        """Where an access of result ``k`` begins, and how the outer loops step it."""
        steps = steps_of(load)
        offset = offset_of(load) + k * steps.get(self.inner, 0) + sum(steps.get(loop, 0) * at for loop, at in point.items())
        return base_of(load), offset, tuple(sum(steps.get(l, 0) * f for l, f in moved.items()) for _, moved in self.outer)

    def _loads(self) -> list[Instance]:
        """As few loads as can be: what lies in the same register's worth of memory comes in one."""
        found: list[Instance] = []
        lines: dict[tuple, list] = {}
        for instance, name, read, leaf, k, point in self.wanted:
            base, offset, steps = self._where(leaf, k, point)
            loops = *instance.mnemonic.effect.loops, *_summed(instance)
            span = ELEMENT_BYTES[read.operand.element] + sum(steps_of(read).get(loop.name, 0) * (loop.extent - 1) for loop in loops)
            lines.setdefault((read.operand.name, base, steps), []).append((offset, span, instance, name, read))
        for (memory, base, steps), reads in lines.items():
            m, width = self.roles.load(memory), self.graph.memory(memory).word_bytes
            at = value = None
            for offset, span, instance, name, read in sorted(reads, key=lambda r: r[0]):
                unit = unit_of(read)
                if at is None or (offset - at) % unit or offset - at + span > width:
                    at, value = offset, self._new(memory)
                    load = Instance(m, {}, stream=0)
                    load.stream, reference = self._stream(base, offset, steps)
                    load.values = {f.name: reference for f in m.fields if f.kind == "address"}
                    self._place(load, next(f.name for f in m.fields if f.kind != "address"), m.effect.destination, value, 0)
                    load.writes(value)
                    found.append(load)
                self._read(instance, name, read, value, offset - at)
        return found

    def _store(self) -> None:
        """All results at once, from where they were computed, or loaded."""
        m = self.store
        instance, name = Instance(m, {}), next(f.name for f in m.fields if f.kind != "address")
        instance.stream, reference = self._stream(*self._where(self.target, 0, {}))
        instance.values = {f.name: reference for f in m.fields if f.kind == "address"}
        if self.cover.step is None:
            self._check(self.cover.leaf, wide=True)
            self.wanted.append((instance, name, m.effect.expr, self.cover.leaf, 0, {}))
        else:
            self._read(instance, name, m.effect.expr, *self._value(self.cover, 0))
        self.instances.append(instance)

    def _stream(self, base: str, offset: int, steps: tuple[int, ...]) -> tuple[int, Reference]:
        """A stream from which an access is named: one that there is, or another."""
        mine = self.groups.setdefault((base, steps), [])
        for number, begin in mine:
            if self.streams.reaches(offset - begin):
                return number, self.streams.reference(number, offset - begin)
        number = self.streams.add(base, offset, [(extent, step) for (extent, _), step in zip(self.outer, steps)], "an operand")
        mine.append((number, offset))
        return number, self.streams.reference(number, 0)


def _summed(instance: Instance) -> list[Loop]:
    """Loops that an instruction sums over itself."""
    return [loop for e in walk(instance.mnemonic.effect.expr) if isinstance(e, Reduce) for loop in e.loops]


def _rounds(extent: int, side: int) -> tuple[int, int]:
    """Rounds of ``side`` results each, and how far apart; they may overlap, the same distance apart."""
    rounds = -(-extent // side)
    while rounds > 1 and (extent - side) % (rounds - 1):
        rounds += 1
    return rounds, (extent - side) // (rounds - 1) if rounds > 1 else 0
