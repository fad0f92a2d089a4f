"""Sums of products as a kernel: one product in every packet, and what makes results of sums beside the products of the next ones.

A *tile* is a few outputs (``across``), each with a sum in a register of its own. A *body* adds one scalar register's worth of the
reduction to each; all bodies are the same packets, loads for the next one among them. The first bodies of a tile also finish the sums of
the tile before, which lie in another set of registers; so there are two sets, and two tiles in a round of the loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tenon.acg.expr import Load, Nest, Reduce, Val, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.acg.packet import Loop, Operation, Packet, Reference
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.cover import Covers, Step, canonical
from tenon.compiler.packets.streams import Stream, stream_levels
from tenon.compiler.packets.timeline import Registers, Timeline

__all__ = ["Kernel", "contraction"]

_MOST_ACROSS = 8  # sums of a tile
_TYPES = {"u8": np.uint8, "i8": np.int8, "i32": np.int32, "f32": np.float32}


@dataclass(frozen=True)
class Kernel:
    """``setup`` brings ``scalars``, bytes that lie together in the scratchpad where stream 0 begins, into registers; ``packets`` do the
    rest, from where all ``streams`` (1 and up) are at their beginnings to where everything is written."""

    setup: tuple[Packet, ...]
    packets: tuple[Packet, ...]
    streams: tuple[Stream, ...]
    scalars: bytes


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
        self.graph, self.sequencer, self.nest = graph, graph.sequencer, nest
        self.extent = {loop.name: loop.extent for loop in nest.loops}
        self.target: Load = nest.destination
        self.store = self._store()
        self.lanes = max(l.extent for l in self.store.effect.loops if isinstance(l.extent, int))
        self.lane = self._lane_loop()
        found = Covers(graph, self.lane).of(canonical(nest.expr), self.target.operand.element)
        if found is None:
            raise CompileError("no instructions compute it")
        self.cover = found[1]
        summing = [s for s in self.cover.steps if s.folded]
        if len(summing) != 1:
            raise CompileError("it has no sum of products")
        self.dot, = summing
        self.finishing = [s for s in self.cover.steps if s is not self.dot]
        self.reduce: Reduce = self.dot.reductions[0][0]
        self.extent |= {loop.name: loop.extent for loop in self.reduce.loops}
        self.streams: list[Stream] = []
        self.numbers: dict[str, list[bytes]] = {}  # in each register memory
        self._roles()
        self._shape()

    # What the machine has.

    def _mnemonics(self, memory: str, *, write: bool) -> list[Mnemonic]:
        """Copies between the scratchpad and a register memory."""
        near = self.target.operand.name
        found = []
        for m in self.graph.mnemonics:
            ways = {(a.memory, a.write) for a in accesses(m)}
            if ways == {(near, not write), (memory, write)} and isinstance(m.effect.expr, Load) and not any(
                    isinstance(loop.extent, str) for loop in m.effect.loops):
                found.append(m)
        return found

    def _store(self) -> Mnemonic:
        """What takes a result's lanes to the scratchpad: as many bytes as a register's part that an instruction writes."""
        found = [m for memory in self._registers() for m in self._mnemonics(memory, write=False)]
        element = self.target.operand.element
        wide = {"i32": 4, "f32": 4}.get(element, 1)
        lanes = self._most_lanes()
        fitting = [m for m in found if m.effect.loops[0].extent == wide * lanes]
        if not fitting:
            raise CompileError(f"no instruction stores {lanes} elements of {element}")
        return fitting[0]

    def _most_lanes(self) -> int:
        """Lanes of the instructions that compute."""
        return max(loop.extent for m in self.graph.mnemonics for loop in m.effect.loops
                   if isinstance(loop.extent, int) and any(isinstance(e, Reduce) for e in walk(m.effect.expr)))

    def _registers(self) -> list[str]:
        return [m.name for m in self.graph.memories if m.kind == "registers"]

    def _lane_loop(self) -> str:
        """The loop along which results lie side by side, as many as there are lanes."""
        element = {"i32": 4, "f32": 4}.get(self.target.operand.element, 1)
        lanes = self._most_lanes()
        for loop in self.nest.loops:
            if self.target.address.bind({name: 0 for (_, name), _ in self.target.address.terms if name}).get(loop.name) == element \
                    and loop.extent == lanes:
                return loop.name
        raise CompileError(f"results must lie side by side, {lanes} of them")

    # Operands and loops.

    def _steps(self, load: Load) -> dict[str, int]:
        """Bytes that each loop steps an operand by."""
        return {loop: factor for (loop, name), factor in load.address.terms if loop and not name}

    @staticmethod
    def _parameter(load: Load) -> str:
        return next(name for (loop, name), _ in load.address.terms if name and not loop)

    def _roles(self) -> None:
        """Which operand of the product is one element for all lanes, and which has one for each; and the loop that an instruction sums."""
        self.scalar, self.vector = None, None
        for name, cover in self.dot.operands.items():
            if not isinstance(cover.leaf, Load) or name == self.dot.folded:
                continue
            if self.lane in self._steps(cover.leaf):
                self.vector = name
            else:
                self.scalar = name
        if self.scalar is None or self.vector is None:
            raise CompileError("a product must have one operand for all lanes and one for each")
        x, w = (self.dot.operands[name].leaf for name in (self.scalar, self.vector))
        inner, = self.dot.reductions[0][1].loops
        theirs = [self.dot.reads[name].address.bind({n: 0 for (_, n), _ in self.dot.reads[name].address.terms if n}).get(inner.name, 0)
                  for name in (self.scalar, self.vector)]
        self.summed = next((loop.name for loop in self.reduce.loops if loop.extent == inner.extent
                            and [self._steps(x).get(loop.name), self._steps(w).get(loop.name)] == theirs), None)
        if self.summed is None:
            raise CompileError(f"{inner.extent} elements of the reduction must lie as {self.dot.mnemonic.name} takes them")
        self.x, self.w, self.inner = x, w, inner.extent
        read = self.dot.reads[self.scalar]
        self.scalar_memory, self.vector_memory = read.operand.name, self.dot.reads[self.vector].operand.name
        self.load_x, = self._mnemonics(self.scalar_memory, write=True)
        self.load_w, = self._mnemonics(self.vector_memory, write=True)
        self.parts = self.graph.memory(self.scalar_memory).word_bytes // self.inner  # products with one scalar register

    def _shape(self) -> None:
        """Loops of the program: along a scalar register, the other steps of the reduction, outputs side by side in a tile, and the rest."""
        steps_x, steps_w = self._steps(self.x), self._steps(self.w)
        rest = [loop for loop in self.reduce.loops if loop.name != self.summed and loop.extent > 1]
        along = [l for l in rest if steps_x.get(l.name) == self.inner]
        if self.parts > 1 and (not along or along[0].extent % self.parts):
            raise CompileError(f"the reduction must have whole registers of {self.parts * self.inner} elements")
        self.along = along[0] if self.parts > 1 else None
        reduced: list[tuple[int, int, int]] = []  # extent, step of x, step of w
        for loop in rest:
            extent, factor = (loop.extent // self.parts, self.parts) if loop is self.along else (loop.extent, 1)
            reduced.append((extent, steps_x.get(loop.name, 0) * factor, steps_w.get(loop.name, 0) * factor))
        self.reduced = sorted((r for r in reduced if r[0] > 1), key=lambda r: r[2])
        self.bodies = math.prod(r[0] for r in self.reduced)
        self.step_k = steps_w.get(self.along.name, 0) if self.along else 0
        outer = [l for l in self.nest.loops if l.name != self.lane and l.extent > 1]
        free = [l for l in outer if not steps_w.get(l.name) and steps_x.get(l.name)]
        across = min(free, key=lambda l: steps_x[l.name], default=None)
        self.across, self.tiles = (1, 1) if across is None else _cut(across.extent)
        hop = (across.extent - self.across) // (self.tiles - 1) if self.tiles > 1 else 0
        self.outer: list[tuple[int, dict[str, int]]] = []
        if self.tiles > 1:
            self.outer.append((self.tiles, {across.name: hop}))
        others = sorted((l for l in outer if l is not across), key=lambda l: (bool(steps_w.get(l.name)), steps_x.get(l.name, 0)))
        self.outer += [(l.extent, {l.name: 1}) for l in others]
        self.across_loop = across.name if across else ""
        self.count = math.prod(extent for extent, _ in self.outer)

    # Streams and numbers.

    def _stream(self, load: Load, inner: list[tuple[int, int]], what: str) -> int:
        """The number of a stream for an operand: ``inner`` levels, then the tiles."""
        steps = self._steps(load)
        levels = [*inner, *((extent, sum(steps.get(loop, 0) * factor for loop, factor in moved.items())) for extent, moved in self.outer)]
        offset = load.address.bind({n: 0 for (_, n), _ in load.address.terms if n}).get("", 0)
        self.streams.append(Stream(self._parameter(load), offset, stream_levels(self.sequencer, levels, what)))
        if len(self.streams) >= self.sequencer.streams:
            raise CompileError(f"more than {self.sequencer.streams - 1} operands need streams")
        return len(self.streams)  # stream 0 brings in scalars

    def _reference(self, stream: int, offset: int) -> Reference:
        granules, rest = divmod(offset, self.sequencer.granule)
        half = 1 << self.sequencer.offset_bits - 1
        if rest or not -half <= granules < half:
            raise CompileError(f"an access {offset} bytes from a stream's address is none that an instruction can name")
        return Reference(stream, granules)

    def _scalar(self, value: Val, read: Load) -> int:
        """What the field says that names a number's place in a register memory."""
        element = read.operand.element
        data = _TYPES[element](value.value).tobytes()
        places = self.numbers.setdefault(read.operand.name, [])
        if data not in places:
            places.append(data)
        index = places.index(data)
        if (index + 1) * len(data) > self.graph.memory_bytes[read.operand.name]:
            raise CompileError(f"{read.operand.name} has no room for so many numbers")
        return index

    # Packets.

    def kernel(self) -> Kernel:
        words, quads = Registers(self.graph, self.vector_memory), Registers(self.graph, self.scalar_memory)
        self.sums = [[words.take() for _ in range(self.across)] for _ in range(2)]
        self.quads = [quads.take() for _ in range(self.across)]
        self.weights = [words.take() for _ in range(self.parts)]
        self.begin = self.dot.operands[self.dot.folded].leaf
        if not isinstance(self.begin, Load) or self._steps(self.begin).get(self.across_loop):
            raise CompileError("sums must begin with one number for each lane")
        self.start = words.take()
        self.at_x = self._stream(self.x, [(extent, x) for extent, x, _ in self.reduced], "an operand")
        self.at_w = self._stream(self.w, [(extent, w) for extent, _, w in self.reduced], "weights")
        self.at_start, self.at_y = self._stream(self.begin, [], "what sums begin with"), self._stream(self.target, [], "results")
        self.shared: dict[int, tuple[int, int]] = {}  # operands of a tile: register and stream
        self.single: dict[int, int] = {}  # operands of each output: stream
        for leaf in (c.leaf for s in self.finishing for c in s.operands.values() if isinstance(c.leaf, Load)):
            if id(leaf) in self.shared or id(leaf) in self.single:
                continue
            stream = self._stream(leaf, [], "an operand")
            if self._steps(leaf).get(self.across_loop):
                self.single[id(leaf)] = stream
            else:
                self.shared[id(leaf)] = words.take(), stream
        self.spare = words.rest()
        self.loads = self._loads()

        first, other, same = self._section(0, False), self._section(1, True), self._section(0, True)
        bodies = [self._body(parity) for parity in (0, 1)]
        packets = [*self._prologue(), *self._tile(first, bodies[0])]
        pairs, odd = divmod(self.count - 1, 2)
        if pairs:
            packets += self._looped(pairs, [*self._tile(other, bodies[1]), *self._tile(same, bodies[0])])
        if odd:
            packets += self._tile(other, bodies[1])
        last = Timeline(self.graph)
        self._finish(last, (self.count - 1) % 2)
        packets += last.packets(last.length + self.store.timing.cycles("visible", {}))
        setup, scalars = self._setup()
        return Kernel(tuple(setup), tuple(packets), tuple(self.streams), scalars)

    @property
    def row(self) -> int:
        """Packets from a product to the next one that adds to the same sum."""
        return max(self.across, self.dot.mnemonic.timing.cycles("visible", self.dot.mnemonic.complete({})))

    @property
    def period(self) -> int:
        """Packets of a body."""
        return self.parts * self.row

    def _looped(self, count: int, packets: list[Packet]) -> list[Packet]:
        if count == 1:
            return packets
        if len(packets) > self.sequencer.loop_packets or count > self.sequencer.loop_count:
            raise CompileError(f"a loop of {len(packets)} packets {count} times is more than the sequencer counts")
        return [Packet(control=Loop(count, len(packets))), *packets]

    def _tile(self, section: tuple[list[Packet], int], body: list[Packet]) -> list[Packet]:
        """A section, and the bodies that are left."""
        packets, done = section
        left = self.bodies - done
        return [*packets, *(self._looped(left, body) if left else [])]

    def _loads(self) -> list[tuple[Mnemonic, int, dict[str, object]]]:
        """Loads of one body, each with its time: before the body's end for the next one, behind it for that one itself.

        A register is loaded so late that what is in it has been read, and so early that its next reader sees it. The last access of each
        stream steps it.
        """
        wanted = []  # last and first time, mnemonic, values, stream
        steps, late = self._steps(self.x).get(self.across_loop, 0), self.load_x.timing.cycles("visible", {})
        for output, quad in enumerate(self.quads):
            values = self._copied(self.load_x, quad, self._reference(self.at_x, output * steps))
            wanted.append((self.period + output - late, (self.parts - 1) * self.row + output + 1 - late, self.load_x, values, self.at_x))
        late = self.load_w.timing.cycles("visible", {})
        for k, register in enumerate(self.weights):
            values = self._copied(self.load_w, register, self._reference(self.at_w, k * self.step_k))
            wanted.append((self.period + k * self.row - late, k * self.row + self.across - late, self.load_w, values, self.at_w))
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
            last_one[2] = {name: replace(v, step=True) if isinstance(v, Reference) else v for name, v in last_one[2].items()}
        return [(mnemonic, time, values) for mnemonic, time, values, _ in found]

    def _copied(self, m: Mnemonic, register: int, address: Reference) -> dict[str, object]:
        """Fields of a copy between a register and the scratchpad."""
        return {f.name: address if f.kind == "address" else register for f in m.fields}

    def _into(self, line: Timeline, at: int, parity: int, *, begins: bool) -> None:
        """A body from packet ``at`` on: its products, and the loads of any body."""
        numbers = {name: self._scalar(c.leaf, self.dot.reads[name]) for name, c in self.dot.operands.items() if isinstance(c.leaf, Val)}
        for k in range(self.parts):
            for output, total in enumerate(self.sums[parity]):
                values = {**self.dot.values, **numbers, self.dot.result: total, self.vector: self.weights[k],
                          self.scalar: self.quads[output] * self.parts + k, self.dot.folded: self.start if begins and k == 0 else total}
                line.put(self.dot.mnemonic, at + k * self.row + output, values)
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
            self._renew(line, self.start, self.at_start, self.across)
            if finish:
                read = self._finish(line, 1 - parity)
                for register, stream in self.shared.values():
                    self._renew(line, register, stream, read.get(register, 0) + 1)
            if line.length <= bodies * self.period or bodies == self.bodies:
                return line.packets(max(bodies * self.period, line.length)), bodies
            bodies += 1

    def _renew(self, line: Timeline, register: int, stream: int, read: int) -> None:
        """Loads a tile's operand for the next one: what is in the register is read before packet ``read``."""
        m = self.load_w
        time = line.first(m, max(read - m.timing.cycles("visible", {}), 0), read + 4 * self.period)
        if time is None:
            raise CompileError("loads do not find packets in time")
        line.put(m, time, self._copied(m, register, replace(self._reference(stream, 0), step=True)))

    def _prologue(self) -> list[Packet]:
        """What the first body finds in registers."""
        line, time = Timeline(self.graph), 0
        for register, stream in ((self.start, self.at_start), *self.shared.values()):
            line.put(self.load_w, time, self._copied(self.load_w, register, replace(self._reference(stream, 0), step=True)))
            time += 1
        for mnemonic, when, values in sorted(self.loads, key=lambda load: load[1]):
            if when < self.period:
                line.put(mnemonic, time, values)
                time += 1
        return line.packets(time + max(m.timing.cycles("visible", {}) for m in (self.load_x, self.load_w)))

    def _finish(self, line: Timeline, parity: int) -> dict[int, int]:
        """Results of a tile that has just been summed: instructions as early as operands and slots allow. When registers that a tile's
        outputs share are read last."""
        late = self.dot.mnemonic.timing.cycles("visible", self.dot.mnemonic.complete({}))
        free = dict.fromkeys(self.spare, 0)  # from when on a register may be written
        read: dict[int, int] = {}

        def take(low: int) -> int:
            register = min(free, key=lambda r: (max(free[r], low), r), default=None)
            if register is None:
                raise CompileError(f"{self.vector_memory} has too few registers to finish sums")
            return register

        accesses_of: dict[int, list[tuple[int, str]]] = {}
        for output, total in enumerate(self.sums[parity]):
            ready = {id(self.dot): (total, max(0, output - self.row + late))}  # register and when it may be read
            for s in self.finishing:
                low, values, used = 0, dict(s.values), []
                for name, cover in s.operands.items():
                    if isinstance(cover.leaf, Val):
                        values[name] = self._scalar(cover.leaf, s.reads[name])
                        continue
                    if cover.step is not None:
                        register, when = ready[id(cover.step)]
                    elif id(cover.leaf) in self.shared:
                        register, when = self.shared[id(cover.leaf)][0], 0
                    else:
                        if id(cover.leaf) not in ready:
                            stream, steps = self.single[id(cover.leaf)], self._steps(cover.leaf).get(self.across_loop, 0)
                            register = take(0)
                            at = line.first(self.load_w, free[register], 1 << 16)
                            line.put(self.load_w, at, self._copied(self.load_w, register, self._reference(stream, output * steps)))
                            accesses_of.setdefault(stream, []).append((at, self.load_w.unit))
                            ready[id(cover.leaf)] = register, at + self.load_w.timing.cycles("visible", {})
                            free[register] = 1 << 20
                        register, when = ready[id(cover.leaf)]
                    low = max(low, when)
                    used.append(register)
                    values[name] = self._named(s.reads[name], register)
                register = take(low)
                at = line.first(s.mnemonic, max(low, free[register]), 1 << 16)
                values[s.result] = self._named(s.target, register)
                line.put(s.mnemonic, at, values)
                for other in used:
                    read[other] = max(read.get(other, 0), at)
                    if other in free and all(self._last_use(other, s, ready)):
                        free[other] = at + 1
                free[register] = 1 << 20
                ready[id(s)] = register, at + s.mnemonic.timing.cycles("visible", s.mnemonic.complete({}))
            register, when = ready[id(self.finishing[-1])]
            steps = self._steps(self.target).get(self.across_loop, 0)
            at = line.first(self.store, when, 1 << 16)
            source = self._copied(self.store, self._part(self.store, register), self._reference(self.at_y, output * steps))
            line.put(self.store, at, source)
            accesses_of.setdefault(self.at_y, []).append((at, self.store.unit))
            free[register] = at + 1
            for leaf in [k for k in ready if k in self.single]:
                free[ready[leaf][0]] = at + 1
        for stream in accesses_of:
            line.stepping(stream)
        return read

    def _last_use(self, register: int, step: Step, ready: dict[int, tuple[int, int]]):
        """Of a value in a register, whether no later step reads it."""
        later = self.finishing[self.finishing.index(step) + 1:]
        owner = next((k for k, (r, _) in ready.items() if r == register), None)
        for s in later:
            for c in s.operands.values():
                yield id(c.step if c.step is not None else c.leaf) != owner

    def _named(self, read: Load, register: int) -> int:
        """What a field says to name a register, from whose first byte on elements are read or written."""
        unit = next(factor for (loop, name), factor in read.address.terms if name and not loop)
        return register * self.graph.memory(read.operand.name).word_bytes // unit

    def _part(self, m: Mnemonic, register: int) -> int:
        return self._named(m.effect.expr, register)

    def _setup(self) -> tuple[list[Packet], bytes]:
        """Packets that bring numbers into their registers, and the numbers."""
        packets, pool = [], bytearray()
        for memory, values in self.numbers.items():
            m, = self._mnemonics(memory, write=True)
            width = m.effect.loops[0].extent
            data = b"".join(values).ljust(-(-len(b"".join(values)) // width) * width, b"\0")
            for at in range(0, len(data), width):
                reference = self._reference(0, len(pool))
                packets.append(Packet((Operation(m, self._copied(m, at // width, reference)),)))
                pool += data[at:at + width]
        late = max((self._mnemonics(memory, write=True)[0].timing.cycles("visible", {}) for memory in self.numbers), default=0)
        return [*packets, *[Packet()] * late], bytes(pool)


def _cut(extent: int) -> tuple[int, int]:
    """Outputs of a tile, and tiles: as few packets as can be. Tiles may overlap, the same distance apart."""
    best = None
    for across in range(1, min(extent, _MOST_ACROSS) + 1):
        tiles = -(-extent // across)
        while tiles > 1 and (extent - across) % (tiles - 1):
            tiles += 1
        cost = tiles * max(across, 4)
        if best is None or (cost, -across) < best[0]:
            best = (cost, -across), across, tiles
    return best[1], best[2]
