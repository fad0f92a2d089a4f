"""Sums of products as a kernel: one product in every packet, and what makes results of sums beside the products of the next ones.

A *tile* is a few outputs (``across``), each with a sum in a register of its own. A *body* adds one scalar register's worth of the
reduction to each; all bodies are the same packets, loads for the next one among them. The first bodies of a tile also finish the sums of
the tile before, which lie in another set of registers; so there are two sets, and two tiles in a round of the loop.
"""

from __future__ import annotations

from dataclasses import replace

from tenon.acg.expr import Load, Nest, Val
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.packet import Packet
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.contraction_plan import ContractionPlan
from tenon.compiler.packets.cover import Step
from tenon.compiler.packets.forms import base_of, offset_of, steps_of
from tenon.compiler.packets.kernel import Kernel
from tenon.compiler.packets.operands import Numbers, Streams
from tenon.compiler.packets.timeline import Registers, Timeline, looping, stepped

__all__ = ["contraction"]


def contraction(graph: Graph, nest: Nest) -> Kernel:
    """The kernel of a placed statement ``y = f(start + sum of products)``: its operands' addresses are parameters.

    Raises
    ------
    CompileError
        If no instructions do it, or registers, streams or steps do not suffice.
    """
    return _Contraction(graph, nest).kernel()


class _Contraction:
    def __init__(self, graph: Graph, nest: Nest):
        self.graph, self.plan = graph, ContractionPlan(graph, nest)
        self.streams, self.numbers = Streams(graph), Numbers(graph, self.plan.roles)
        self.size = graph.memory(self.plan.vector_memory).word_bytes

    def _stream(self, load: Load, inner: list[tuple[int, int]], what: str) -> int:
        """The number of a stream for an operand: ``inner`` levels, then the tiles."""
        steps = steps_of(load)
        outer = ((extent, sum(steps.get(loop, 0) * factor for loop, factor in moved.items())) for extent, moved in self.plan.outer)
        return self.streams.add(base_of(load), offset_of(load), [*inner, *outer], what)

    def _fetched(self, register: int, stream: int, offset: int = 0, *, step: bool = False) -> dict[str, object]:
        """Fields of the load of a vector register."""
        return self.plan.roles.copied(self.plan.load_w, register, replace(self.streams.reference(stream, offset), step=step))

    def kernel(self) -> Kernel:
        words, quads = Registers(self.graph, self.plan.vector_memory), Registers(self.graph, self.plan.scalar_memory)
        self.sums = [[words.take() for _ in range(self.plan.across)] for _ in range(2)]
        self.quads = [quads.take() for _ in range(self.plan.across)]
        self.weights = [words.take() for _ in range(self.plan.parts)]
        self.begin = self.plan.dot.operands[self.plan.dot.folded].leaf
        if not isinstance(self.begin, Load) or steps_of(self.begin).get(self.plan.across_loop):
            raise CompileError("sums must begin with one number for each lane")
        self.start = words.take()
        self.at_x = self._stream(self.plan.x, [(extent, x) for extent, x, _ in self.plan.reduced], "an operand")
        self.at_w = self._stream(self.plan.w, [(extent, w) for extent, _, w in self.plan.reduced], "weights")
        self.at_start, self.at_y = self._stream(self.begin, [], "what sums begin with"), self._stream(self.plan.target, [], "results")
        self.shared: dict[int, tuple[int, int]] = {}  # operands of a tile: register and stream
        self.single: dict[int, int] = {}  # operands of each output: stream
        for leaf in (c.leaf for s in self.plan.finishing for c in s.operands.values() if isinstance(c.leaf, Load)):
            if id(leaf) in self.shared or id(leaf) in self.single:
                continue
            stream = self._stream(leaf, [], "an operand")
            if steps_of(leaf).get(self.plan.across_loop):
                self.single[id(leaf)] = stream
            else:
                self.shared[id(leaf)] = words.take(), stream
        self.spare = words.rest()
        self.loads = self._loads()

        first, other, same = self._section(0, False), self._section(1, True), self._section(0, True)
        bodies = [self._body(parity) for parity in (0, 1)]
        packets = [*self._prologue(), *self._tile(first, bodies[0])]
        pairs, odd = divmod(self.plan.count - 1, 2)
        if pairs:
            packets += self._looped(pairs, [*self._tile(other, bodies[1]), *self._tile(same, bodies[0])])
        if odd:
            packets += self._tile(other, bodies[1])
        last = Timeline(self.graph)
        self._finish(last, (self.plan.count - 1) % 2)
        packets += last.packets(last.length + self.plan.store.timing.cycles("visible", {}))
        setup, scalars = self.numbers.setup({self.plan.vector_memory, self.plan.scalar_memory})
        return Kernel(tuple(setup), tuple(packets), tuple(self.streams.streams), scalars)

    @property
    def row(self) -> int:
        """Packets from a product to the next one that adds to the same sum."""
        return max(self.plan.across, self.plan.latency)

    @property
    def period(self) -> int:
        """Packets of a body."""
        return self.plan.parts * self.row

    def _looped(self, count: int, packets: list[Packet]) -> list[Packet]:
        if count == 1:
            return packets
        return [Packet(control=looping(self.graph, count, len(packets))), *packets]

    def _tile(self, section: tuple[list[Packet], int], body: list[Packet]) -> list[Packet]:
        """A section, and the bodies that are left."""
        packets, done = section
        left = self.plan.bodies - done
        return [*packets, *(self._looped(left, body) if left else [])]

    def _loads(self) -> list[tuple[Mnemonic, int, dict[str, object]]]:
        """Loads of one body, each with its time: before the body's end for the next one, behind it for that one itself.

        A register is loaded so late that what is in it has been read, and so early that its next reader sees it. The last access of each
        stream steps it.
        """
        wanted = []  # last and first time, mnemonic, values, stream
        steps, late = steps_of(self.plan.x).get(self.plan.across_loop, 0), self.plan.load_x.timing.cycles("visible", {})
        for output, quad in enumerate(self.quads):
            values = self.plan.roles.copied(self.plan.load_x, quad, self.streams.reference(self.at_x, output * steps))
            read = (self.plan.parts - 1) * self.row + output + 1
            wanted.append((self.period + output - late, read - late, self.plan.load_x, values, self.at_x))
        late = self.plan.load_w.timing.cycles("visible", {})
        for k, register in enumerate(self.weights):
            values = self._fetched(register, self.at_w, k * self.plan.step_k)
            wanted.append((self.period + k * self.row - late, k * self.row + self.plan.across - late, self.plan.load_w, values, self.at_w))
        taken: set[int] = set()
        found = []
        for last, first, mnemonic, values, stream in sorted(wanted, key=lambda w: w[:2]):
            time = next((t for t in range(max(first, 0), last + 1) if t % self.period not in taken), None)
            if time is None:
                raise CompileError("loads do not find packets in time")
            taken.add(time % self.period)
            found.append([mnemonic, time, values, stream])
        for stream in (self.at_x, self.at_w):
            mine = [load for load in found if load[3] == stream]
            if max(load[1] for load in mine) - min(load[1] for load in mine) >= self.period:
                raise CompileError("a stream's accesses of one body do not lie within a body's packets")
            last_one = max(mine, key=lambda load: load[1])
            last_one[2] = stepped(last_one[2])
        return [(mnemonic, time, values) for mnemonic, time, values, _ in found]

    def _into(self, line: Timeline, at: int, parity: int, *, begins: bool) -> None:
        """A body from packet ``at`` on: its products, and the loads of any body."""
        dot = self.plan.dot
        numbers = {name: self.numbers.place(c.leaf, dot.reads[name]) for name, c in dot.operands.items() if isinstance(c.leaf, Val)}
        for k in range(self.plan.parts):
            for output, total in enumerate(self.sums[parity]):
                values = {**dot.values, **numbers, dot.result: total, dot.folded: self.start if begins and k == 0 else total,
                          self.plan.vector: self.weights[k], self.plan.scalar: self.quads[output] * self.plan.parts + k}
                line.put(dot.mnemonic, at + k * self.row + output, values)
        for mnemonic, time, values in self.loads:
            line.put(mnemonic, at + time % self.period, values)

    def _body(self, parity: int) -> list[Packet]:
        line = Timeline(self.graph)
        self._into(line, 0, parity, begins=False)
        return line.packets(self.period)

    def _section(self, parity: int, finish: bool) -> tuple[list[Packet], int]:
        """The first bodies of a tile, which finish the tile before if ``finish``; and how many they are."""
        bodies = 1
        while True:
            line = Timeline(self.graph)
            for k in range(bodies):
                self._into(line, k * self.period, parity, begins=k == 0)
            self._renew(line, self.start, self.at_start, self.plan.across)
            if finish:
                read = self._finish(line, 1 - parity)
                for register, stream in self.shared.values():
                    self._renew(line, register, stream, read.get(register, 0) + 1)
            if line.length <= bodies * self.period or bodies == self.plan.bodies:
                return line.packets(max(bodies * self.period, line.length)), bodies
            bodies += 1

    def _renew(self, line: Timeline, register: int, stream: int, read: int) -> None:
        """Loads a tile's operand for the next one: what is in the register is read before packet ``read``."""
        m = self.plan.load_w
        time = line.first(m, max(read - m.timing.cycles("visible", {}), 0), read + 4 * self.period)
        if time is None:
            raise CompileError("loads do not find packets in time")
        line.put(m, time, self._fetched(register, stream, step=True))

    def _prologue(self) -> list[Packet]:
        """What the first body finds in registers."""
        line, time = Timeline(self.graph), 0
        for register, stream in ((self.start, self.at_start), *self.shared.values()):
            line.put(self.plan.load_w, time, self._fetched(register, stream, step=True))
            time += 1
        for mnemonic, when, values in sorted(self.loads, key=lambda load: load[1]):
            if when < self.period:
                line.put(mnemonic, time, values)
                time += 1
        return line.packets(time + max(m.timing.cycles("visible", {}) for m in (self.plan.load_x, self.plan.load_w)))

    def _finish(self, line: Timeline, parity: int) -> dict[int, int]:
        """Results of a tile that has just been summed: instructions as early as operands and slots allow. When registers that a tile's
        outputs share are read last."""
        late = self.plan.latency
        free = dict.fromkeys(self.spare, 0)  # from when on a register may be written
        read: dict[int, int] = {}

        def take(low: int) -> int:
            register = min(free, key=lambda r: (max(free[r], low), r), default=None)
            if register is None:
                raise CompileError(f"{self.plan.vector_memory} has too few registers to finish sums")
            return register

        accessed = {self.at_y}
        for output, total in enumerate(self.sums[parity]):
            ready = {id(self.plan.dot): (total, max(0, output - self.row + late))}  # register and when it may be read
            for s in self.plan.finishing:
                low, used = 0, []
                values = {**s.values, **dict(self.numbers.table(ours, theirs, self.streams) for ours, theirs in s.tables)}
                for name, cover in s.operands.items():
                    if isinstance(cover.leaf, Val):
                        values[name] = self.numbers.place(cover.leaf, s.reads[name])
                        continue
                    if cover.step is not None:
                        register, when = ready[id(cover.step)]
                    elif id(cover.leaf) in self.shared:
                        register, when = self.shared[id(cover.leaf)][0], 0
                    else:
                        if id(cover.leaf) not in ready:
                            stream, steps = self.single[id(cover.leaf)], steps_of(cover.leaf).get(self.plan.across_loop, 0)
                            register = take(0)
                            at = line.first(self.plan.load_w, free[register], 1 << 16)
                            line.put(self.plan.load_w, at, self._fetched(register, stream, output * steps))
                            accessed.add(stream)
                            ready[id(cover.leaf)] = register, at + self.plan.load_w.timing.cycles("visible", {})
                            free[register] = 1 << 20
                        register, when = ready[id(cover.leaf)]
                    low = max(low, when)
                    used.append(register)
                    values[name] = self.plan.roles.named(s.reads[name], register * self.size)
                register = take(low)
                at = line.first(s.mnemonic, max(low, free[register]), 1 << 16)
                values[s.result] = self.plan.roles.named(s.target, register * self.size)
                line.put(s.mnemonic, at, values)
                for other in used:
                    read[other] = max(read.get(other, 0), at)
                    if other in free and all(self._last_use(other, s, ready)):
                        free[other] = at + 1
                free[register] = 1 << 20
                ready[id(s)] = register, at + s.mnemonic.timing.cycles("visible", s.mnemonic.complete({}))
            register, when = ready[id(self.plan.finishing[-1])]
            steps = steps_of(self.plan.target).get(self.plan.across_loop, 0)
            at = line.first(self.plan.store, when, 1 << 16)
            place = self.plan.roles.named(self.plan.store.effect.expr, register * self.size)
            line.put(self.plan.store, at, self.plan.roles.copied(self.plan.store, place, self.streams.reference(self.at_y, output * steps)))
            free[register] = at + 1
            for leaf in [k for k in ready if k in self.single]:
                free[ready[leaf][0]] = at + 1
        for stream in accessed:
            line.stepping(stream)
        return read

    def _last_use(self, register: int, step: Step, ready: dict[int, tuple[int, int]]):
        """Of a value in a register, whether no later step reads it."""
        later = self.plan.finishing[self.plan.finishing.index(step) + 1:]
        owner = next((k for k, (r, _) in ready.items() if r == register), None)
        for s in later:
            for c in s.operands.values():
                yield id(c.step if c.step is not None else c.leaf) != owner
