"""What lowering of a layer writes into: instructions, constants, and placed statements that are remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenon.acg.expr import Aff, Load, Loop, Nest, Op, Operand, Val, field
from tenon.compiler.codelets import Codelet
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.machine import Machine
from tenon.compiler.placing import Tile, place
from tenon.compiler.select import Template

__all__ = ["CONSTANTS", "Constants", "Emitter"]

#: The DRAM segment of weights, tables and other constants.
CONSTANTS = "CONSTANTS"


class Constants:
    """The bytes of the constant segment."""

    def __init__(self, alignment: int = 64):
        self.alignment, self.parts, self.size = alignment, [], 0
        self._known: dict[bytes, int] = {}
        self._next = 1

    def put(self, data: bytes) -> int:
        """Offset of ``data`` in the segment; equal data are stored once."""
        if data not in self._known:
            gap = -self.size % self._next
            self.parts.append(bytes(gap))
            self.size, self._next = self.size + gap, 1
            self._known[data] = self.size
            padded = data + bytes(-len(data) % self.alignment)
            self.parts.append(padded)
            self.size += len(padded)
        return self._known[data]

    def align(self, to: int) -> None:
        """What comes next, and is not there yet, begins at a multiple of ``to``."""
        self._next = to

    def bytes(self) -> bytes:
        return b"".join(self.parts)


class Emitter:
    """Selects instructions for placed statements and appends them.

    Parameters
    ----------
    layer : str
        What errors call the layer.
    """

    def __init__(self, machine: Machine, layer: str, constants: Constants):
        self.machine, self.layer, self.constants = machine, layer, constants
        self.instructions: list[Instruction] = []

    def fail(self, reason: str) -> CompileError:
        return CompileError(f"layer {self.layer}: {reason}")

    def compute(self, codelet: Codelet, statement: str, tiles: Mapping[str, Tile], extents: Mapping[str, int],
                attributes: Mapping[str, int | float], bases: Mapping[str, int], note: str) -> None:
        """Appends the instruction that executes a statement of ``codelet`` on tiles at ``bases``."""
        numbers = tuple(attributes.items())
        key = codelet, statement, tuple(tiles.items()), tuple(extents.items()), numbers
        known = self.machine.selected.templates
        if key not in known:
            try:
                nest = place(codelet.statements[statement], codelet.dims, tiles, extents, attributes)
            except ValueError as error:
                raise self.fail(f"{codelet.name} ({statement}): {error}") from None
            kind = codelet, statement, tuple((n, t.memory) for n, t in tiles.items()), numbers
            known[key] = self.machine.select(nest, kind)
        template = known[key]
        if template is None:
            raise self.fail(f"no instruction computes {codelet.name} ({statement}) on a tile of "
                            + ", ".join(f"{n}={e}" for n, e in extents.items()))
        self.append(template, bases, note)

    def append(self, template: Template, parameters: Mapping[str, int | float], note: str) -> None:
        self.instructions.append(Instruction(template.mnemonic, template.at(**parameters), note=note))

    def load(self, walks: Sequence[Walk], far: tuple[str, int], near: tuple[str, int], note: str, *,
             fill: int = 0, rows: tuple[int, int] | None = None, columns: tuple[int, int] | None = None) -> None:
        """Brings bytes from DRAM (memory, address) on chip; ``rows``, ``columns``: first coordinate and limit of the
        guards, outside of which ``fill`` is written."""
        loops = tuple(w for w in walks if w.extent > 1)
        rows, columns = (_near_zero(guard or (0, 1), sum((w.extent - 1) * getattr(w, axis) for w in loops))
                         for guard, axis in ((rows, "y"), (columns, "x")))
        self._move(loops, far, near, note, True, fill, rows, columns)

    def store(self, walks: Sequence[Walk], near: tuple[str, int], far: tuple[str, int], note: str) -> None:
        """Takes bytes to DRAM."""
        self._move(tuple(w for w in walks if w.extent > 1), far, near, note, False, 0, (0, 1), (0, 1))

    def _move(self, walks, far, near, note, inward, fill, rows, columns) -> None:
        key = (walks, far[0], near[0], inward, fill, rows[1], columns[1])
        known = self.machine.selected.templates
        if key not in known:
            nest = _copy(walks, far[0], near[0], inward, fill, rows[1], columns[1])
            known[key] = self.machine.select(nest, (far[0], near[0], inward))
        template = known[key]
        if template is not None:
            self.append(template, {"far": far[1], "near": near[1], "y": rows[0], "x": columns[0]}, note)
            return
        if not walks:
            raise self.fail(f"no instruction copies between {far[0]} and {near[0]}")
        outer, *rest = walks  # more loops than an instruction has levels: the outermost is the program's
        for i in range(outer.extent):
            self._move(tuple(rest), (far[0], far[1] + i * outer.far), (near[0], near[1] + i * outer.near), note, inward, fill,
                       (rows[0] + i * outer.y, rows[1]), (columns[0] + i * outer.x, columns[1]))


def _near_zero(guard: tuple[int, int], reach: int) -> tuple[int, int]:
    """A guard (first coordinate, limit) of coordinates up to ``reach`` further that lets the same pass, with numbers as small as
    the transfer, whatever the tensor's size; what lies inside has one guard wherever it is."""
    first, limit = guard
    if first < 0:
        return first, min(limit, first + reach + 1)
    return 0, min(max(limit - first, 0), reach + 1)


def _copy(walks: Sequence[Walk], far: str, near: str, inward: bool, fill: int, row_limit: int, column_limit: int) -> Nest:
    """``near = inside ? far : fill``, or the way back."""
    loops = [Loop(f"t{i}", w.extent) for i, w in enumerate(walks)]

    def form(base: str) -> Aff:
        total = field(base)
        for loop, walk in zip(loops, walks, strict=True):
            total = total + loop * getattr(walk, base)
        return total

    outside, inside = Load(Operand(far, "u8", (1,)), (form("far"),)), Load(Operand(near, "u8", (1,)), (form("near"),))
    if not inward:
        return Nest(tuple(loops), outside, inside)
    guard = Op("and", (Op("within", (Val(form("y")), Val(row_limit))), Op("within", (Val(form("x")), Val(column_limit)))))
    return Nest(tuple(loops), inside, Op("select", (guard, outside, Val(fill))))
