"""What lowering of a layer writes into: instructions and constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.acg.parts import Role
from tenon.compiler.code import Code, Note
from tenon.compiler.codelets import Codelet
from tenon.compiler.errors import CompileError
from tenon.compiler.legal import first_problem
from tenon.compiler.lower.constants import Constants
from tenon.compiler.lower.copies import copy_nest
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.machine import Machine
from tenon.compiler.placing import Tile, place

__all__ = ["Emitter", "Transfer"]

_ENDS = "far", "near", "y", "x"  # parameters of transfers


@dataclass(frozen=True)
class Transfer:
    """What moves bytes between DRAM and a memory on chip, wherever they lie in both: instructions, each with its form, what it adds to both
    addresses, and the first coordinates of its guards."""

    parts: tuple[tuple[int, int, int, int, int], ...]


class Emitter:
    """Selects instructions for placed statements and appends them.

    Parameters
    ----------
    layer : str
        What errors call the layer.
    """

    def __init__(self, machine: Machine, layer: str, constants: Constants):
        self.machine, self.layer, self.constants = machine, layer, constants
        self.fixed = machine.graph.segment(Role.CONSTANTS)
        self._forms: list[int] = []
        self._numbers: list[int] = []
        self._notes: list[Note] = []
        self._runs: dict[tuple[int, str, str], Transfer] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def code(self) -> Code:
        """What was appended.

        Raises
        ------
        CompileError
            If an instruction cannot have its fields, or must not.
        """
        form, forms = np.array(self._forms, np.int64), self.machine.selected.forms
        try:
            fields = forms.fields(form, self._numbers)
        except ValueError as error:
            raise self.fail(str(error)) from None
        code = Code(forms, form, fields, np.zeros(len(form), np.int64), self._notes)
        problem = first_problem(self.machine.graph, code)
        if problem is not None:
            raise self.fail(problem)
        return code

    def fail(self, reason: str) -> CompileError:
        return CompileError(f"layer {self.layer}: {reason}")

    def append(self, form: int, numbers: Sequence[int], note: Note) -> None:
        """``numbers``: the form's parameters in their order."""
        self._forms.append(form)
        self._numbers += numbers
        self._notes.append(note)

    def compute(self, codelet: Codelet, statement: str, tiles: Mapping[str, Tile], extents: Mapping[str, int],
                attributes: Mapping[str, int | float], bases: Mapping[str, int], note: Note) -> None:
        """Appends the instruction that executes a statement of ``codelet`` on tiles at ``bases``."""
        self.append(self.form(codelet, statement, tiles, extents, attributes), [bases[name] for name in tiles], note)

    def form(self, codelet: Codelet, statement: str, tiles: Mapping[str, Tile], extents: Mapping[str, int],
             attributes: Mapping[str, int | float]) -> int:
        """The form of the instruction that executes a statement of ``codelet`` on tiles: where they begin are its parameters."""
        numbers = tuple(attributes.items())
        key = codelet, statement, tuple(tiles.items()), tuple(extents.items()), numbers
        selected = self.machine.selected
        if key in selected.numbers:
            number = selected.numbers[key]
        else:
            try:
                nest = place(codelet.statements[statement], codelet.dims, tiles, extents, attributes)
            except ValueError as error:
                raise self.fail(f"{codelet.name} ({statement}): {error}") from None
            kind = codelet, statement, tuple((n, t.memory) for n, t in tiles.items()), numbers
            number = selected.keep(key, self.machine.select(nest, kind), tuple(tiles))
        if number is None:
            raise self.fail(f"no instruction computes {codelet.name} ({statement}) on a tile of "
                            + ", ".join(f"{n}={e}" for n, e in extents.items()))
        return number

    def load_run(self, size: int, far: tuple[str, int], near: tuple[str, int], note: Note) -> None:
        """Brings in bytes that lie together."""
        key = size, far[0], near[0]
        if key not in self._runs:
            self._runs[key] = self.inward([Walk(size, 1, 1)], far[0], near[0])
        self.move(self._runs[key], far[1], near[1], note)

    def load(self, walks: Sequence[Walk], far: tuple[str, int], near: tuple[str, int], note: Note, *,
             fill: int = 0, rows: tuple[int, int] | None = None, columns: tuple[int, int] | None = None) -> None:
        """Brings bytes from DRAM (memory, address) on chip; ``rows``, ``columns``: first coordinate and limit of the
        guards, outside of which ``fill`` is written."""
        self.move(self.inward(walks, far[0], near[0], fill=fill, rows=rows, columns=columns), far[1], near[1], note)

    def store(self, walks: Sequence[Walk], near: tuple[str, int], far: tuple[str, int], note: Note) -> None:
        """Takes bytes to DRAM."""
        self.move(self.outward(walks, near[0], far[0]), far[1], near[1], note)

    def move(self, transfer: Transfer, far: int, near: int, note: Note) -> None:
        """Appends a transfer between these addresses."""
        for form, far_step, near_step, y, x in transfer.parts:
            self._forms.append(form)
            self._numbers += far + far_step, near + near_step, y, x
            self._notes.append(note)

    def inward(self, walks: Sequence[Walk], far: str, near: str, *, fill: int = 0, rows: tuple[int, int] | None = None,
               columns: tuple[int, int] | None = None) -> Transfer:
        """What ``load`` appends, from memory ``far`` to ``near``."""
        loops = tuple(w for w in walks if w.extent > 1)
        rows, columns = (_near_zero(guard or (0, 1), sum((w.extent - 1) * getattr(w, axis) for w in loops))
                         for guard, axis in ((rows, "y"), (columns, "x")))
        return Transfer(tuple(self._parts(loops, far, near, True, fill, rows, columns)))

    def outward(self, walks: Sequence[Walk], near: str, far: str) -> Transfer:
        """What ``store`` appends."""
        return Transfer(tuple(self._parts(tuple(w for w in walks if w.extent > 1), far, near, False, 0, (0, 1), (0, 1))))

    def _parts(self, walks: tuple[Walk, ...], far: str, near: str, inward: bool, fill: int, rows: tuple[int, int],
               columns: tuple[int, int]) -> Iterator[tuple[int, int, int, int, int]]:
        whole = inward and rows == columns == (0, 1) and not any(w.y or w.x for w in walks)  # everything passes the guards
        key = walks, far, near, inward, fill, rows[1], columns[1], whole
        selected = self.machine.selected
        if key in selected.numbers:
            form = selected.numbers[key]
        else:
            guard = (fill, rows[1], columns[1]) if inward else None
            found = self.machine.select(copy_nest(walks, far, near, inward, guard), (far, near, inward))
            if found is None and whole:
                found = self.machine.select(copy_nest(walks, far, near, inward), (far, near, "plain"))
            form = selected.keep(key, found, _ENDS)
        if form is not None:
            yield form, 0, 0, rows[0], columns[0]
            return
        if not walks:
            raise self.fail(f"no instruction copies between {far} and {near}")
        outer, *rest = walks  # more loops than an instruction has levels: the outermost is the program's
        for i in range(outer.extent):
            for inner, far_step, near_step, y, x in self._parts(tuple(rest), far, near, inward, fill, (rows[0] + i * outer.y, rows[1]),
                                                                (columns[0] + i * outer.x, columns[1])):
                yield inner, far_step + i * outer.far, near_step + i * outer.near, y, x


def _near_zero(guard: tuple[int, int], reach: int) -> tuple[int, int]:
    """A guard (first coordinate, limit) of coordinates up to ``reach`` further that lets the same pass, with numbers as small as
    the transfer, whatever the tensor's size; what lies inside has one guard wherever it is."""
    first, limit = guard
    if first < 0:
        return first, min(limit, first + reach + 1)
    return 0, min(max(limit - first, 0), reach + 1)
