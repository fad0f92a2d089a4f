"""Modulo scheduling: a round of instructions begins every so many packets, while rounds before it still go on.

The first packet after which a round may be begun (*interval*) is looked for from the least that slots allow upwards. At each, instructions
are placed as late as their readers allow, those first that most comes before: what a long sum takes is not there long before it. Then, as
soon as their operands are there, those first that most comes behind, and loads as late as can be. A register holds one round's value at a
time, so no value may live longer than the interval (Rau, "Iterative modulo scheduling", 1994, has the idea; nothing is displaced here,
a longer interval is tried instead).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.packet import Operation, Packet
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.timeline import looping, stepped

__all__ = ["Instance", "Schedule", "Value", "schedule"]

_STEPS = 32  # of an interval, one is added at a time


@dataclass(eq=False)
class Value:
    """What a register of ``memory`` holds for a while: written by all its ``writers``, then read."""

    memory: str
    writers: list[Instance] = field(default_factory=list)
    readers: list[Instance] = field(default_factory=list)


@dataclass(eq=False)
class Instance:
    """One instruction of a round. ``places``: fields that name a value's register, each with the bytes that are added to where that is,
    and the bytes that the field counts in. ``stream``: that of its address, if it has one."""

    mnemonic: Mnemonic
    values: dict[str, object]
    places: dict[str, tuple[Value, int, int]] = field(default_factory=dict)
    stream: int | None = None

    def reads(self, value: Value) -> None:
        value.readers.append(self)

    def writes(self, value: Value) -> None:
        value.writers.append(self)

    @property
    def cycles(self) -> int:
        return self.mnemonic.timing.cycles("occupancy", self.mnemonic.complete({}))

    @property
    def visible(self) -> int:
        return self.mnemonic.timing.cycles("visible", self.mnemonic.complete({}))


@dataclass(frozen=True)
class Schedule:
    """Packets in which instances begin, all of one round; ``interval`` packets later the next round begins."""

    graph: Graph
    interval: int
    operations: tuple[tuple[int, Operation], ...]

    @property
    def length(self) -> int:
        return max(time for time, _ in self.operations) + 1

    def packets(self, rounds: int) -> list[Packet]:
        """So many rounds: those that begin, a loop in which all packets are alike, those that end."""
        ahead = -(-self.length // self.interval) - 1  # rounds that go on while one begins
        if rounds <= ahead + 1:
            return [self._packet(at, rounds) for at in range((rounds - 1) * self.interval + self.length)]
        begin, alike = ahead * self.interval, rounds - ahead
        before = [self._packet(at, rounds) for at in range(begin)] or [Packet()]
        # In a packet of its own, the loop would move what is under way.
        before[-1] = replace(before[-1], control=looping(self.graph, alike, self.interval))
        end = range(rounds * self.interval, (rounds - 1) * self.interval + self.length)
        return [*before, *(self._packet(at, rounds) for at in (*range(begin, begin + self.interval), *end))]

    def _packet(self, at: int, rounds: int) -> Packet:
        return Packet(tuple(op for time, op in self.operations
                            if time <= at and (at - time) % self.interval == 0 and (at - time) // self.interval < rounds))


def schedule(graph: Graph, instances: Sequence[Instance], values: Sequence[Value]) -> Schedule:
    """Instances as a round.

    Raises
    ------
    CompileError
        If registers do not suffice even for one round at a time.
    """
    busy: dict[str, int] = {}
    for i in instances:
        name = graph.sequencer.slot(i.mnemonic.unit).name
        busy[name] = busy.get(name, 0) + i.cycles
    interval, longest = max(busy.values()), sum(i.cycles + i.visible for i in instances)
    while interval <= longest:
        for soon in (False, True):
            times = _Placing(graph, instances, interval, soon).times
            places = times and _registers(graph, values, times, interval)
            if places:
                return Schedule(graph, interval, tuple(_operations(instances, times, places)))
        interval += 1 + interval // _STEPS
    raise CompileError("there are too few registers for what is computed at a time")


class _Placing:
    """Times of instances at one interval, as ``soon`` or as late as can be; ``times`` is empty if there are none."""

    def __init__(self, graph: Graph, instances: Sequence[Instance], interval: int, soon: bool):
        self.graph, self.interval, self.times = graph, interval, {}
        self.taken: set[tuple[str, int]] = set()
        self.streams: dict[int, list[int]] = {}
        found = self._from_operands(instances) if soon else self._to_readers(instances)
        first = min(self.times.values()) if found else 0
        self.times = {key: time - first for key, time in self.times.items()} if found else {}

    def _to_readers(self, instances: Sequence[Instance]) -> bool:
        depth = _longest(instances, _writers, lambda i, w: w.visible)
        return all(self._late(i) for i in sorted(instances, key=lambda i: -depth[id(i)]))

    def _from_operands(self, instances: Sequence[Instance]) -> bool:
        height = _longest(instances, _readers, lambda i, r: i.visible)
        loads = [i for i in instances if not _writers(i)]
        ready = {id(i): i.visible for i in loads}  # as if every load began at 0
        for i in sorted((i for i in instances if id(i) not in ready), key=lambda i: -height[id(i)]):
            first = max((ready[id(w)] if id(w) in ready else self.times[id(w)] + w.visible for w in _writers(i)), default=0)
            if not self._place(i, range(first, first + self.interval)):
                return False
        return all(self._late(i) for i in sorted(loads, key=self._latest))

    def _latest(self, i: Instance) -> int:
        """When its first reader must have it begun."""
        return min((self.times[id(r)] for r in _readers(i)), default=0) - i.visible

    def _late(self, i: Instance) -> bool:
        last = self._latest(i)
        return self._place(i, range(last, last - self.interval, -1))

    def _place(self, i: Instance, times: range) -> bool:
        name = self.graph.sequencer.slot(i.mnemonic.unit).name
        mates = self.streams.get(i.stream, []) if i.stream is not None else []
        for time in times:
            cells = {(name, (time + k) % self.interval) for k in range(i.cycles)}
            near = all(abs(time - other) < self.interval for other in mates) and (
                not mates or max(*mates, time) - min(*mates, time) < self.interval)
            if len(cells) == i.cycles and not cells & self.taken and near:
                self.taken |= cells
                self.times[id(i)] = time
                if i.stream is not None:
                    self.streams.setdefault(i.stream, []).append(time)
                return True
        return False


def _readers(i: Instance) -> list[Instance]:
    return [r for value, _, _ in i.places.values() if i in value.writers for r in value.readers]


def _writers(i: Instance) -> list[Instance]:
    return [w for value, _, _ in i.places.values() if i in value.readers for w in value.writers]


def _longest(instances: Sequence[Instance], following: Callable[[Instance], list[Instance]],
             distance: Callable[[Instance, Instance], int]) -> dict[int, int]:
    """Packets of the longest way from each instance on: to what ``following`` gives, and so on."""
    found: dict[int, int] = {}

    def of(i: Instance) -> int:
        if id(i) not in found:
            found[id(i)] = max((of(other) + distance(i, other) for other in following(i)), default=0)
        return found[id(i)]

    for i in instances:
        of(i)
    return found


def _registers(graph: Graph, values: Sequence[Value], times: dict[int, int], interval: int) -> dict[int, int]:
    """A register for each value, none for two at a time of which rounds overlap; empty if they do not suffice."""
    lives = []
    for value in values:
        begin = min(times[id(w)] + w.visible for w in value.writers)
        end = max((times[id(r)] for r in value.readers), default=begin) + 1
        if end - begin > interval:
            return {}
        lives.append((end - begin, begin, value))
    taken: dict[tuple[str, int], set[int]] = {}
    places: dict[int, int] = {}
    for length, begin, value in sorted(lives, key=lambda life: -life[0]):
        cells = {(begin + k) % interval for k in range(length)}
        register = next((r for r in range(graph.memory(value.memory).words) if not taken.get((value.memory, r), set()) & cells), None)
        if register is None:
            return {}
        taken.setdefault((value.memory, register), set()).update(cells)
        places[id(value)] = register * graph.memory(value.memory).word_bytes
    return places


def _operations(instances: Sequence[Instance], times: dict[int, int], places: dict[int, int]):
    """Instances with their registers; the last access of each stream in a round steps it."""
    last: dict[int, Instance] = {}
    for i in instances:
        if i.stream is not None and (i.stream not in last or times[id(i)] > times[id(last[i.stream])]):
            last[i.stream] = i
    for i in instances:
        values = dict(i.values)
        for name, (value, byte, unit) in i.places.items():
            at = places[id(value)] + byte
            if at % unit:
                raise CompileError(f"{i.mnemonic.name}.{name} cannot name byte {at}")
            values[name] = at // unit
        if last.get(i.stream) is i:
            values = stepped(values)
        yield times[id(i)], Operation(i.mnemonic, values)
