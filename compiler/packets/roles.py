"""What a machine with packets has: copies between the scratchpad and registers, and how many lanes compute."""

from __future__ import annotations

import math
from typing import NamedTuple

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.expr import Load, Nest, Reduce, walk
from tenon.acg.graph import Graph, Kind
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.acg.packet import Reference
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.forms import steps_of, unit_of

__all__ = ["Grain", "Roles", "lane_loop"]


class Grain(NamedTuple):
    """What products come in: ``lanes`` results side by side, ``summed`` products for each, ``scalars`` elements in a register of those that
    all lanes take."""

    lanes: int
    summed: int
    scalars: int


class Roles:
    """Asked of the covenant once. ``near``: the memory that operands of a kernel lie in."""

    def __init__(self, graph: Graph, near: str):
        self.graph, self.near = graph, near
        self.registers = [m.name for m in graph.memories if m.kind is Kind.REGISTERS]
        #: Lanes of the instructions that sum products.
        self.lanes = max((loop.extent for m in graph.mnemonics for loop in m.effect.loops
                          if isinstance(loop.extent, int) and any(isinstance(e, Reduce) for e in walk(m.effect.expr))), default=0)

    @property
    def grain(self) -> Grain:
        """Of the instruction that sums products of elements for all lanes and elements for each."""
        for m in self.graph.mnemonics:
            sums = [e for e in walk(m.effect.expr) if isinstance(e, Reduce)]
            own = {loop.name for loop in m.effect.loops}
            shared = [e.operand.name for s in sums for e in walk(s.body) if isinstance(e, Load) and not own & set(e.address.loops)
                      and {loop.name for loop in s.loops} & set(e.address.loops)]
            if shared:
                summed = math.prod(loop.extent for loop in sums[0].loops)
                return Grain(self.lanes, summed, self.graph.memory(shared[0]).word_bytes)
        raise CompileError("no instruction sums products of elements for all lanes and elements for each")

    @property
    def vectors(self) -> str:
        """The register memory through which whole registers go from one place of the scratchpad to another."""
        found = [r for r in self.registers if self.copies(r, write=True) and self.copies(r, write=False)]
        if not found:
            raise CompileError(f"nothing is loaded from {self.near} that can be stored")
        return max(found, key=lambda r: self.graph.memory(r).word_bytes)

    def copies(self, memory: str, *, write: bool) -> list[Mnemonic]:
        """Copies of bytes that lie together into a register memory, or out of it; addresses of the scratchpad count granules."""
        ways = {(self.near, not write), (memory, write)}
        found = []
        for m in self.graph.mnemonics:
            sides = (m.effect.destination, m.effect.expr)
            if len(m.effect.loops) == 1 and all(isinstance(e, Load) and e.operand.element == "u8" for e in sides) \
                    and {(a.memory, a.write) for a in accesses(m)} == ways:
                lane, near = m.effect.loops[0], sides[write]
                along = all(steps_of(e).get(lane.name) == 1 for e in sides)
                if isinstance(lane.extent, int) and along and unit_of(near) == self.graph.sequencer.granule:
                    found.append(m)
        return found

    def load(self, memory: str) -> Mnemonic:
        """What fills a register."""
        size = self.graph.memory(memory).word_bytes
        for m in self.copies(memory, write=True):
            if m.effect.loops[0].extent == size == unit_of(m.effect.destination):
                return m
        raise CompileError(f"no instruction loads whole registers from {self.near} into {memory}")

    def store(self, memory: str, size: int) -> Mnemonic:
        """What takes so many bytes of a register to the scratchpad."""
        found = [m for m in self.copies(memory, write=False) if m.effect.loops[0].extent == size]
        if not found:
            raise CompileError(f"no instruction stores {size} bytes of {memory}")
        return found[0]

    def named(self, read: Load, byte: int) -> int:
        """What a field says for elements that are read or written from a byte of a register memory on."""
        if byte % unit_of(read):
            raise CompileError(f"byte {byte} of {read.operand.name} is none that an instruction names")
        return byte // unit_of(read)

    def copied(self, m: Mnemonic, place: int, address: Reference) -> dict[str, object]:
        """Fields of a copy between a register memory and an address."""
        return {f.name: address if f.kind == "address" else place for f in m.fields}


def lane_loop(nest: Nest, roles: Roles) -> str:
    """The loop along which results lie side by side, as many as there are lanes. CompileError if there is none."""
    width, steps = ELEMENT_BYTES[nest.destination.operand.element], steps_of(nest.destination)
    for loop in nest.loops:
        if steps.get(loop.name) == width and loop.extent == roles.lanes:
            return loop.name
    raise CompileError(f"results must lie side by side, {roles.lanes} of them")
