"""The cycle model: when each instruction of a program begins and ends, from the covenant's costs and the DRAM's rules.

Event-driven. Engines work in order, each behind its queue; instructions wait for tokens; whatever moves over the bus
is cut into bursts, which share one data slot a cycle in order of arrival, as in ``tb/dram.sv``. What an instruction
does is never executed. Of those that compute, one that wants a bank which others use before it (``tb/streams.py``) goes on
in the cycles that they leave it; LOAD and STORE are taken to find every bank free, and to keep none busy.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import walk_steps
from tenon.acg.pace import pace_of
from tenon.tb.functional import Instruction
from tenon.tb.streams import Ports, Stream
from tenon.tb.timeline import Span, Timeline, Windows, idle_waits
from tenon.tb.transfers import Transfer, transfer_of

__all__ = ["Deadlock", "ModelResult", "simulate_program"]


class Deadlock(RuntimeError):
    """The program stops before its end; the message says what each engine waits for."""


@dataclass(frozen=True)
class ModelResult:
    """Cycles of a program, under the names that hardware's counters have."""

    cycles: int
    counters: dict[str, int]
    marks: tuple[tuple[int, int], ...]  # (mark, cycle), in order of time
    timeline: Timeline


@dataclass
class _Path:
    """An instruction on its way: when it had reached the head of its queue, and the moments of a ``Span``."""

    index: int
    head: int
    granted: int
    begun: int = 0
    released: int = 0
    done: int = 0


@dataclass
class _Engine:
    name: str
    queue: deque = field(default_factory=deque)
    granted: bool = False  # the instruction in front has its tokens
    ready_at: int = 0  # when it can take the next one
    end: int = 0  # of the last issue of what it has taken
    busy: int = 0
    busy_until: int = 0
    waited: int = 0
    head_since: int = 0
    streams: deque[Stream] = field(default_factory=deque)  # of what it computes, in order
    paths: list[_Path] = field(default_factory=list)  # of what it has been granted


class _Dram:
    """One data slot a cycle, bursts in order of arrival; ``serve`` must be called in that order."""

    def __init__(self, latency: int):
        self.latency, self.free = latency, 0

    def serve(self, now: int, cycles: int, not_before: int = 0) -> int:
        """The cycle after a burst's last beat."""
        self.free = max(self.free, now + self.latency, not_before) + cycles
        return self.free


def simulate_program(program: Sequence[Instruction], graph: Graph, *, latency: int = 40,
                     outstanding: int = 32) -> ModelResult:
    """Times ``program`` (without its END) on the hardware of ``graph``.

    ``latency`` (cycles) and ``outstanding`` (bursts in each direction) are the DRAM's.

    Raises
    ------
    Deadlock
        Some instruction never gets its tokens.
    """
    return _Simulation(program, graph, latency, outstanding).run()


class _Simulation:
    def __init__(self, program: Sequence[Instruction], graph: Graph, latency: int, outstanding: int):
        self.program, self.graph, self.outstanding, self.pace = program, graph, outstanding, pace_of(graph)
        self.on_chip = frozenset(graph.memory_bytes)
        self.burst_beats = max(edge.burst_bytes for edge in graph.edges) // graph.bus_bytes
        self.engines = {unit.name: _Engine(unit.name) for unit in graph.units}
        self.ports = Ports(graph)
        self.dram = _Dram(latency)
        self.tokens = [0] * graph.sequencer.tokens
        self.events: list[tuple[int, int, Callable, tuple]] = []
        self.order = 0
        self.now = self.last = 0
        self.fetched: list[int] = []  # when each instruction arrives
        self.fetching = False
        self.dispatched = 0
        self.checking = self.blocked = False
        self.beats = {"READ_BEATS": 0, "WRITE_BEATS": 0}
        self.marks: list[tuple[int, int]] = []
        self.flight: dict[str, deque] = {name: deque() for name in self.engines}
        self.writer_free = {name: 0 for name in self.engines}
        self.transfers: dict[int, Transfer] = {}
        self.windows = Windows()

    def run(self) -> ModelResult:
        self.at(self.pace.start, self.fetch)
        while self.events:
            self.now, _, action, args = heapq.heappop(self.events)
            action(*args)
        if self.dispatched < len(self.program) or any(e.queue for e in self.engines.values()):
            raise Deadlock(self.diagnosis())
        cycles = self.last + self.pace.end
        counters = {"CYCLES": cycles, **self.beats}
        for e in self.engines.values():
            counters[f"{e.name}_BUSY"], counters[f"{e.name}_TOKEN"] = e.busy, e.waited
        return ModelResult(cycles, counters, tuple(self.marks), self.timeline(cycles))

    def timeline(self, cycles: int) -> Timeline:
        spans, waits = [], []
        for e in self.engines.values():
            mine = [Span(p.index, e.name, p.granted, p.begun, p.released, p.done) for p in e.paths]
            spans += mine
            waits += idle_waits(e.name, mine, [p.head for p in e.paths], cycles)
        return Timeline(cycles, tuple(sorted(spans, key=lambda s: s.index)), tuple(waits), self.windows.rows(), self.windows.cycles)

    def moved(self, end: int, beats: int, write: bool) -> None:
        """Counts a burst's beats, of which the last one moves in the cycle before ``end``."""
        self.beats["WRITE_BEATS" if write else "READ_BEATS"] += beats
        self.windows.add(end, beats, write)

    def at(self, time: int, action: Callable, *args) -> None:
        self.order += 1
        heapq.heappush(self.events, (max(time, self.now), self.order, action, args))

    # Sequencer: fetch ahead, check, push.

    def fetch(self) -> None:
        """Requests the next instruction, if the buffer has room for it."""
        k = len(self.fetched)
        if k <= len(self.program) and k - self.dispatched <= self.pace.fetch_ahead:  # END too
            beats = max(1, self.graph.sequencer.encoding.bytes // self.graph.bus_bytes)
            served = self.dram.serve(self.now, beats)
            self.moved(served, beats, False)
            self.fetched.append(served + self.pace.fetch)
            self.at(self.fetched[k], self.check)
            self.at(self.now + self.pace.fetch_interval, self.fetch)
            self.fetching = True
        else:
            self.fetching = False

    def check(self) -> None:
        k = self.dispatched
        if self.checking or k >= len(self.fetched) or self.fetched[k] > self.now:
            return
        if k == len(self.program):
            self.last = max(self.last, self.now)
            return
        self.checking = True
        instruction = self.program[k]
        walk = walk_steps(instruction.mnemonic, instruction.fields, self.on_chip)
        self.at(self.now + self.pace.check + walk, self.push)

    def push(self) -> None:
        instruction = self.program[self.dispatched]
        engine = self.engines[instruction.mnemonic.unit]
        if len(engine.queue) > self.graph.sequencer.queue_depth:  # one more waits at the head
            self.blocked = True  # until an engine takes one
            return
        engine.queue.append((self.dispatched, instruction))
        if len(engine.queue) == 1:
            engine.head_since = self.now + self.pace.head
        self.dispatched += 1
        self.checking = False
        self.at(self.now + 1, self.check)
        if not self.fetching:
            self.fetching = True
            self.at(self.now + 1, self.fetch)
        self.at(self.now + self.pace.head, self.grant)

    # Tokens and issue.

    def grant(self) -> None:
        """Gives tokens to whoever has all of its own, in the engines' order."""
        for engine in self.engines.values():
            if not engine.queue or engine.granted or engine.head_since > self.now:
                continue
            index, instruction = engine.queue[0]
            wanted = _bits(instruction.header.waits)
            if all(self.tokens[t] for t in wanted):
                for t in wanted:
                    self.tokens[t] -= 1
                engine.granted = True
                engine.paths.append(_Path(index, engine.head_since, self.now))
                engine.waited += max(0, self.now - max(engine.head_since, engine.busy_until))
                self.at(self.now + 1, self.take, engine)

    def signal(self, mask: int) -> None:
        for t in _bits(mask):
            self.tokens[t] += 1
        self.at(self.now + 1, self.grant)

    def released(self, instruction: Instruction, path: _Path) -> None:
        if path.released > self.now:  # it was delayed meanwhile
            self.at(path.released, self.released, instruction, path)
            return
        path.released = self.now
        self.signal(instruction.header.release)

    def finished(self, instruction: Instruction, path: _Path) -> None:
        if path.done > self.now:
            self.at(path.done, self.finished, instruction, path)
            return
        path.done = self.now
        self.last = max(self.last, self.now)
        if instruction.header.mark:
            self.marks.append((instruction.header.mark, self.now))
        self.signal(instruction.header.done)

    def take(self, engine: _Engine) -> None:
        if not engine.granted:
            return
        if engine.ready_at > self.now:
            if engine.ready_at != _BUSY:  # a transfer's last request calls again
                self.at(engine.ready_at, self.take, engine)
            return
        _, instruction = engine.queue.popleft()
        path = engine.paths[-1]
        path.begun = self.now
        engine.granted = False
        engine.head_since = self.now + 1
        self.at(self.now + 1, self.grant)
        if self.blocked:
            self.blocked = False
            self.at(self.now + 1, self.push)
        transfer = self.transfer(instruction)
        if transfer is None:
            self.compute(engine, instruction, path)
        else:
            self.move(engine, instruction, transfer, path)

    def transfer(self, instruction: Instruction) -> Transfer | None:
        key = id(instruction)
        if key not in self.transfers:
            self.transfers[key] = transfer_of(instruction, self.on_chip, self.graph.bus_bytes, self.burst_beats)
        return self.transfers[key]

    def occupied(self, engine: _Engine, begin: int, end: int) -> None:
        engine.busy += max(0, end - max(begin, engine.busy_until))
        engine.busy_until = max(engine.busy_until, end)

    def compute(self, engine: _Engine, instruction: Instruction, path: _Path) -> None:
        mnemonic, fields = instruction.mnemonic, instruction.fields

        def cost(what: str) -> int:
            return mnemonic.timing.cycles(what, fields)

        # What must be brought in before the first issue (a tile of weights) goes on beside the former's issues.
        fill = cost("fill")
        stream = Stream(instruction, path, max(self.now + fill, engine.end), cost("occupancy"), self.ports.uses(instruction))
        for other in self.engines.values():
            while other.streams and other.streams[0].path.done <= self.now:
                other.streams.popleft()
            for before in other.streams:
                stream.end = self.ports.delayed(stream, before)
        engine.end = stream.end
        engine.streams.append(stream)
        engine.ready_at = max(self.now + 1, engine.end if not fill else engine.end - cost("step"))
        path.released, path.done = engine.end + cost("reads"), engine.end + cost("visible")
        self.occupied(engine, self.now, path.done)
        self.at(path.released, self.released, instruction, path)
        self.at(path.done, self.finished, instruction, path)
        for other in self.engines.values():
            self.delay(other, stream)

    def delay(self, engine: _Engine, stream: Stream) -> None:
        """Moves what ``engine`` issues to where it comes when ``stream`` is served first, and what follows from that."""
        free = later = 0
        for moved in engine.streams:
            if moved is stream:
                return
            later = max(0, free - moved.start)
            moved.start, moved.end = moved.start + later, moved.end + later
            end = self.ports.delayed(moved, stream) if moved.end > self.now else moved.end
            later += end - moved.end
            free = moved.end = end
            moved.path.released += later
            moved.path.done += later
        engine.end += later
        engine.ready_at += later
        engine.busy += later
        engine.busy_until += later

    # Transfers: one burst requested a cycle.

    def move(self, engine: _Engine, instruction: Instruction, transfer: Transfer, path: _Path) -> None:
        engine.ready_at = _BUSY
        request = self.pace.store_request if transfer.write else self.pace.load_request
        self.at(self.now + request, self.request, engine, instruction, transfer, 0, path)

    def request(self, engine: _Engine, instruction: Instruction, transfer: Transfer, k: int, path: _Path) -> None:
        flight = self.flight[engine.name]
        while flight and flight[0] <= self.now:
            flight.popleft()
        if len(flight) >= self.outstanding:
            self.at(flight[0], self.request, engine, instruction, transfer, k, path)
            return
        beats, cycles = transfer.beats[k], transfer.cycles[k]
        free = self.writer_free[engine.name]
        if not beats:  # a run that is all fill
            end = max(free, self.now) + cycles
        else:
            end = self.dram.serve(self.now, max(beats, cycles), 0 if transfer.write else free)
            self.moved(end, beats, transfer.write)
            flight.append(end + (self.dram.latency if transfer.write else 0) + self.pace.guard)
        self.writer_free[engine.name] = end
        if k + 1 < len(transfer.beats):
            self.at(self.now + 1, self.request, engine, instruction, transfer, k + 1, path)
            return
        engine.ready_at = self.now
        self.at(self.now, self.take, engine)
        done = end + self.pace.answer + (self.dram.latency if transfer.write else self.pace.load_finish)
        self.occupied(engine, path.begun, done)
        self.at(end if transfer.write else done, self.released, instruction, path)
        self.at(done, self.finished, instruction, path)

    def diagnosis(self) -> str:
        lines = [f"the program stops after {self.dispatched} of {len(self.program)} dispatched instructions"]
        for engine in self.engines.values():
            if engine.queue:
                lacking = [str(t) for t in _bits(engine.queue[0][1].header.waits) if not self.tokens[t]]
                lines.append(f"  {engine.name}: {len(engine.queue)} wait, the first for tokens {', '.join(lacking)}")
            else:
                lines.append(f"  {engine.name}: has nothing to do")
        return "\n".join(lines)


_BUSY = 1 << 62  # until further notice


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]
