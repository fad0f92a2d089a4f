"""Instructions by the thousand: of each its form, which many share, and the few fields in which those of one form differ."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenon.acg.encoding import Header
from tenon.acg.formula import names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.select import Template

__all__ = ["Code", "Forms", "Note"]

#: What an instruction is for: a format and what it formats, put together when somebody reads it.
Note = tuple

_MOST = 8  # parameters of a form, and fields that they decide
_FIELDS = ("factors", "constants", "units", "lowest", "highest", "counts")

#: Numbers of many forms of one mnemonic, a row each, affine in the fields that parameters decide.
Rows = Callable[[Graph, Mnemonic, Sequence[Mapping[str, object]]], np.ndarray]


class _Table:
    """Rows of numbers that grow."""

    def __init__(self, *shape: int):
        self.count, self._rows = 0, np.zeros((64, *shape), np.int64)

    @property
    def rows(self) -> np.ndarray:
        return self._rows[:self.count]

    def extend(self, rows: np.ndarray) -> None:
        while self.count + len(rows) > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[self.count:self.count + len(rows)] = rows
        self.count += len(rows)


class Forms:
    """Instructions up to what their parameters decide, by number; and what was computed of each, for one graph."""

    def __init__(self) -> None:
        self.templates: list[Template] = []
        self.parameters: list[tuple[str, ...]] = []
        shapes = {"factors": (_MOST, _MOST), "counts": ()}
        self._solved = {name: _Table(*shapes.get(name, (_MOST,))) for name in _FIELDS}
        self._computed: dict[Rows, tuple[_Table, _Table, set[int]]] = {}

    def add(self, template: Template, parameters: Sequence[str]) -> int:
        """Its number. ``parameters``: in the order in which their values are given.

        Raises
        ------
        CompileError
            If what it costs depends on them: what is computed of a form holds for all of its instructions.
        """
        costly = template.linear.keys() & {name for _, formula in template.mnemonic.timing.terms() for name in names(formula)}
        if costly:
            raise CompileError(f"what {template.mnemonic.name} costs must not depend on {min(costly)}, which differs from tile to tile")
        assert len(template.linear) <= _MOST and len(parameters) <= _MOST, f"{template.mnemonic.name} has more than {_MOST} parameters"
        self.templates.append(template)
        self.parameters.append(tuple(parameters))
        return len(self.templates) - 1

    def fields(self, form: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """Of instructions of these forms the fields that parameters decide, in the forms' order. ``numbers``: all their parameters.

        Raises
        ------
        ValueError, EncodingError
            As ``Template.at``.
        """
        self._solve()
        factors, constants, units, lowest, highest, counts = (self._solved[name].rows[form] for name in _FIELDS)
        given = np.zeros((len(form), _MOST), np.int64)
        given[np.arange(_MOST) < counts[:, None]] = numbers
        totals = np.einsum("nfp,np->nf", factors, given) + constants
        found = totals // units
        bad = np.flatnonzero(((found < lowest) | (found > highest) | (found * units != totals)).any(axis=1))
        for k in bad[:1].tolist():
            self.templates[form[k]].at(**dict(zip(self.parameters[form[k]], given[k].tolist())))  # says what is wrong
        return found

    def _solve(self) -> None:
        """Adds to the tables what is new."""
        new = range(self._solved["units"].count, len(self.templates))
        rows = {name: np.zeros((len(new), *self._solved[name].rows.shape[1:]), np.int64) for name in _FIELDS}
        rows["units"][:] = 1
        for k, number in enumerate(new):
            rows["counts"][k] = len(self.parameters[number])
            template, place = self.templates[number], {name: i for i, name in enumerate(self.parameters[number])}
            for f, (name, (terms, unit)) in enumerate(template.linear.items()):
                field = template.mnemonic.field(name)
                rows["units"][k, f], rows["lowest"][k, f], rows["highest"][k, f] = unit, field.low, field.high
                for parameter, factor in terms:
                    if parameter:
                        rows["factors"][k, f, place[parameter]] += factor
                    else:
                        rows["constants"][k, f] += factor
        for name, table in self._solved.items():
            table.extend(rows[name])

    def computed(self, graph: Graph, rows: Rows, width: int) -> tuple[np.ndarray, np.ndarray, set[int]]:
        """``rows`` of every form where parameters decide on 0 everywhere, what 1 in each such field adds, and in which it adds anything."""
        if rows not in self._computed:
            self._computed[rows] = _Table(width), _Table(_MOST, width), set()
        base, slopes, adding = self._computed[rows]
        new = self.templates[base.count:]
        added, more = np.zeros((len(new), width), np.int64), np.zeros((len(new), _MOST, width), np.int64)
        kinds: dict[int, list[int]] = {}
        for k, template in enumerate(new):
            kinds.setdefault(id(template.mnemonic), []).append(k)
        for mine in kinds.values():
            plain = [{**new[k].fields, **dict.fromkeys(new[k].linear, 0)} if new[k].linear else new[k].fields for k in mine]
            moved = [(k, f, {**fields, name: 1}) for k, fields in zip(mine, plain) for f, name in enumerate(new[k].linear)]
            found = rows(graph, new[mine[0]].mnemonic, [*plain, *(fields for _, _, fields in moved)])
            added[mine] = found[:len(mine)]
            if moved:
                which, f, _ = zip(*moved)
                more[which, f] = found[len(mine):] - added[list(which)]
        base.extend(added)
        slopes.extend(more)
        adding |= set(np.flatnonzero(more.any(axis=(0, 2))).tolist())
        return base.rows, slopes.rows, adding


@dataclass(frozen=True, eq=False)
class Code(Sequence[Instruction]):
    """A sequence of instructions, without waits and signals. ``form`` and ``marks``: a number of each; ``fields``: those that its
    form's parameters decide."""

    forms: Forms
    form: np.ndarray
    fields: np.ndarray
    marks: np.ndarray
    notes: list[Note]

    @staticmethod
    def of(instructions: Iterable[Instruction]) -> Code:
        """Each instruction has a form of its own."""
        if isinstance(instructions, Code):
            return instructions
        instructions, forms = list(instructions), Forms()
        for i in instructions:
            forms.add(Template(i.mnemonic, i.fields, {}), ())
        count = len(instructions)
        return Code(forms, np.arange(count), np.zeros((count, _MOST), np.int64), np.array([i.header.mark for i in instructions], np.int64),
                    [("%s", i.note) for i in instructions])

    def __len__(self) -> int:
        return len(self.notes)

    def __getitem__(self, which):
        if isinstance(which, slice):
            return self.take(range(len(self))[which])
        template, (form, *values), mark = self.forms.templates[self.form[which]], self.notes[which], int(self.marks[which])
        decided = dict(zip(template.linear, self.fields[which].tolist()))
        return Instruction(template.mnemonic, {**template.fields, **decided}, Header(mark=mark), form % tuple(values))

    def take(self, places: Sequence[int]) -> Code:
        """The instructions at these places, in this order."""
        at = np.asarray(places, np.int64)
        return Code(self.forms, self.form[at], self.fields[at], self.marks[at], [self.notes[k] for k in places])

    def marked(self, mark: int) -> Code:
        """With a mark on the last instruction."""
        marks = self.marks.copy()
        marks[-1] = mark
        return replace(self, marks=marks)

    @staticmethod
    def chained(codes: Sequence[Code]) -> Code:
        """One behind the other; all of one table of forms."""
        assert len({id(code.forms) for code in codes}) == 1
        form, fields, marks = (np.concatenate([getattr(code, name) for code in codes]) for name in ("form", "fields", "marks"))
        return Code(codes[0].forms, form, fields, marks, list(itertools.chain.from_iterable(code.notes for code in codes)))

    def unit(self, place: int) -> str:
        """The unit of one of them."""
        return self.forms.templates[self.form[place]].mnemonic.unit

    def rows(self, graph: Graph, rows: Rows, width: int, places: np.ndarray | slice = slice(None)) -> np.ndarray:
        """``rows`` of each instruction, or of those at some places."""
        base, slopes, adding = self.forms.computed(graph, rows, width)
        form, fields = self.form[places], self.fields[places]
        found = base[form]
        for k in adding:
            found += slopes[form, k] * fields[:, k, None]
        return found
