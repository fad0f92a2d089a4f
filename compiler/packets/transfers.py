"""Transfers between DRAM and the scratchpad, by whatever instructions of background units do them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenon.acg.graph import Graph
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.lower.copies import copy_nest
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.select import Template, patterns_of, select

__all__ = ["Transfers"]

_INSIDE = 0, 1, 1  # a guard that lets the first coordinates pass: nothing is filled


class Transfers:
    """Instructions are selected once for each kind of transfer."""

    def __init__(self, covenant: Graph, near: str):
        self.near = near
        units = {b.unit for b in covenant.sequencer.background}
        self.mnemonics = [m for m in covenant.mnemonics if m.unit in units]
        self.known: dict[tuple, Template | None] = {}

    def load(self, walks: Sequence[Walk], far: tuple[str, int], near: int, fill: int | None = None) -> Iterator[Instruction]:
        """Brings bytes from a segment (name, address) to an address of the scratchpad; with ``fill``, nothing but that comes there."""
        yield from self._move(tuple(w for w in walks if w.extent > 1), far, near, _INSIDE if fill is None else (fill, 0, 0))

    def store(self, walks: Sequence[Walk], near: int, far: tuple[str, int]) -> Iterator[Instruction]:
        """Takes bytes to a segment."""
        yield from self._move(tuple(w for w in walks if w.extent > 1), far, near, None)

    def _move(self, walks: tuple[Walk, ...], far: tuple[str, int], near: int, guard: tuple[int, int, int] | None) -> Iterator[Instruction]:
        segment, address = far
        template = self._template(walks, segment, guard)
        if template is not None:
            yield Instruction(template.mnemonic, template.at(far=address, near=near, y=0, x=0))
            return
        if not walks:
            raise CompileError(f"no instruction copies between {segment} and {self.near}")
        outer, *rest = walks  # more loops than an instruction has levels: the outermost is the program's
        for i in range(outer.extent):
            yield from self._move(tuple(rest), (segment, address + i * outer.far), near + i * outer.near, guard)

    def _template(self, walks: tuple[Walk, ...], segment: str, guard: tuple[int, int, int] | None) -> Template | None:
        key = walks, segment, guard
        if key not in self.known:
            nests = [copy_nest(walks, segment, self.near, guard is not None, guard)]
            if guard == _INSIDE:
                nests.append(copy_nest(walks, segment, self.near, True))
            found = (select(patterns_of(self.mnemonics, nest), nest) for nest in nests)
            self.known[key] = next((template for template in found if template is not None), None)
        return self.known[key]
