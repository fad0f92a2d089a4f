"""What an architecture graph implies for lowering: who computes what, out of which memories, on how many lanes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tenon.acg.expr import Expr, Load, Lookup, Nest, Operand, remade
from tenon.acg.graph import Graph
from tenon.compiler.code import Forms
from tenon.compiler.codelets import Codelet, add, conv, depthwise, normalise
from tenon.compiler.errors import CompileError
from tenon.compiler.layout import column_layout, dense
from tenon.compiler.placing import Tile, place
from tenon.compiler.select import Pattern, Route, Template, patterns_of, routes, select

__all__ = ["Machine"]

_TABLE_BYTES = 256
_FEW_TABLES = 2  # where their memory is not theirs alone
_SPARE_COLUMNS = 3  # by how many columns a kernel may be filled up
_PLAIN = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0, "zx": 0, "zw": 0}


@dataclass(frozen=True, eq=False)
class Selected:
    """What has been selected for a graph: forms by the statement and where its operands lie, patterns by the statement's kind."""

    forms: Forms = field(default_factory=Forms)
    numbers: dict[Hashable, int | None] = field(default_factory=dict)  # of forms; None: there is none
    patterns: dict[Hashable, list[Pattern]] = field(default_factory=dict)

    def keep(self, key: Hashable, template: Template | None, parameters: Sequence[str]) -> int | None:
        """The number of what has been selected."""
        self.numbers[key] = None if template is None else self.forms.add(template, parameters)
        return self.numbers[key]


@dataclass(frozen=True, eq=False)
class Machine:
    """A graph with the questions that lowering asks of it answered once, by matching codelets to its mnemonics."""

    graph: Graph
    reserved: Mapping[str, int] = field(default_factory=dict)  # bytes at the top of memories, for what stays there
    selected: Selected = field(default_factory=Selected)

    def select(self, statement: Nest, kind: Hashable = None) -> Template | None:
        """The instruction that does ``statement``, or None. Those of one ``kind`` differ in numbers alone."""
        patterns = self.selected.patterns.get(kind)
        if patterns is None:
            patterns = patterns_of(self.graph.mnemonics, statement)
            if kind is not None:
                self.selected.patterns[kind] = patterns
        return select(patterns, statement)

    @cached_property
    def products(self) -> Route:
        """The instruction that sums a convolution's products, the memories of its operands, and its lanes.

        Raises
        ------
        CompileError
            If no instruction does.
        """
        return self._route(conv("u8", "i8", zero_per_channel=True).statements["start"], "a convolution's products")

    @cached_property
    def epilogue(self) -> Route:
        """The instruction that turns sums into bytes, beside a residual operand and by way of a table."""
        codelet = conv("u8", "i8", residual="a", scale_per_channel=True, table=True)
        return self._route(codelet.statements["finish"], "the epilogue of a convolution")

    @cached_property
    def elementwise(self) -> Route:
        """The instruction for operators on bytes."""
        return self._route(add("u8", "u8").statements["finish"], "an addition of bytes")

    @cached_property
    def numbers(self) -> Route:
        """The instruction that makes binary32 numbers of bytes and others, and where it keeps them."""
        return self._route(normalise("u8").statements["centre"], "binary32 numbers that later instructions read")

    @cached_property
    def windows(self) -> Route | None:
        """The instruction that slides windows over each channel, if there is one."""
        statement = _unplaced(depthwise("u8", "i8", zero_per_channel=True).statements["start"])
        return min((r for r in routes(self.graph.mnemonics, statement) if "oc" in r.lanes), key=_narrowness, default=None)

    @cached_property
    def takes_columns(self) -> bool:
        """Whether the instruction that sums products can have a column of weights in each word, and a word has room for one."""
        codelet, memory, few = conv("u8", "i8"), {**self.products.memory, "bias": self.memory("bias")}, 4
        lanes_in, lanes_out = self.reduction_lanes, self.channel_lanes
        if lanes_in > lanes_out:
            return False
        layouts = {"x": dense([("n", 1, 1), ("h", 1, 1), ("w", few, 1), ("c", lanes_in, 1)]),
                   "acc": dense([("n", 1, 1), ("h", 1, 1), ("w", few, 1), ("c", lanes_out, 1)], 4),
                   "w": column_layout(1, lanes_in, lanes_out, lanes_in, lanes_out), "bias": dense([("oc", lanes_out, 1)], 4)}
        nest = place(codelet.statements["start"], codelet.dims, {n: Tile(memory[n], t) for n, t in layouts.items()},
                     {"n": 1, "oh": 1, "ow": few, "oc": lanes_out, "kh": 1, "kw": 1, "ic": lanes_in}, _PLAIN)
        return self.select(nest) is not None

    @property
    def window_lanes(self) -> int:
        """Channels that a window takes together."""
        return self.windows.lanes["oc"]

    def window_columns(self, rows: int, columns: int, strides: tuple[int, int], dilations: tuple[int, int]) -> int | None:
        """How many columns a kernel of ``rows`` by ``columns`` should be filled up to, to be quick; None if no instruction
        slides such a window."""
        if self.windows is None:
            return None
        key = rows, columns, *strides, *dilations
        if key not in self._window_columns:
            self._window_columns[key] = self._best_columns(rows, columns, strides, dilations)
        return self._window_columns[key]

    @cached_property
    def _window_columns(self) -> dict[tuple[int, ...], int | None]:
        return {}

    def _best_columns(self, rows: int, columns: int, strides: tuple[int, int], dilations: tuple[int, int]) -> int | None:
        best = None
        for wide in range(columns, columns + _SPARE_COLUMNS + 1):
            cost = self._sliding(depthwise("u8", "i8"), "start", (rows, wide), strides, dilations)
            if cost is not None and (best is None or cost < best[0]):
                best = cost, wide
        return best[1] if best else None

    def _sliding(self, codelet: Codelet, statement: str, kernel: tuple[int, int], strides: tuple[int, int],
                 dilations: tuple[int, int]) -> int | None:
        """Cycles of a few windows by the instruction that slides them; None if there is none for these."""
        lanes, memory, few = self.window_lanes, self.windows.memory, 4
        attributes = _PLAIN | {"stride_h": strides[0], "stride_w": strides[1], "dilation_h": dilations[0], "dilation_w": dilations[1]}
        height, width = ((few - 1) * s + (k - 1) * d + 1 for s, k, d in zip(strides, kernel, dilations))
        layouts = {"x": dense([("n", 1, 1), ("h", height, 1), ("w", width, 1), ("c", lanes, 1)]),
                   "acc": dense([("n", 1, 1), ("h", few, 1), ("w", few, 1), ("c", lanes, 1)], 4),
                   "w": dense([("kh", kernel[0], 1), ("kw", kernel[1], 1), ("oc", lanes, 1)]), "bias": dense([("oc", lanes, 1)], 4)}
        nest = place(codelet.statements[statement], codelet.dims, {n: Tile(memory[n], t) for n, t in layouts.items()},
                     {"n": 1, "oh": few, "ow": few, "oc": lanes, "kh": kernel[0], "kw": kernel[1]}, attributes)
        found = self.select(nest)
        if found is None:
            return None
        return found.mnemonic.timing.cycles("occupancy", found.at(**dict.fromkeys(layouts, 0)))

    def slides(self, codelet: Codelet, kernel: tuple[int, int], strides: tuple[int, int], dilations: tuple[int, int]) -> bool:
        """Whether an instruction gathers the windows of a pooling ``codelet`` out of where products are summed from."""
        if self.windows is None:
            return False
        key = codelet.statements["gather"].expr.op, *kernel, *strides, *dilations
        if key not in self._slides:
            self._slides[key] = self._sliding(codelet, "gather", kernel, strides, dilations) is not None
        return self._slides[key]

    @cached_property
    def _slides(self) -> dict[tuple, bool]:
        return {}

    def _route(self, statement: Nest, what: str) -> Route:
        best = min(routes(self.graph.mnemonics, _unplaced(statement)), key=_narrowness, default=None)
        if best is None:
            raise CompileError(f"no instruction of {self.graph.name} computes {what}")
        return best

    def memory(self, operand: str) -> str:
        """The memory that holds an operand of a convolution (or ``table``)."""
        return {**self.epilogue.memory, **self.products.memory}[operand]

    @cached_property
    def tables(self) -> list[int]:
        """Addresses that tables of bytes may have: of all words, or of a few where their memory holds operands too."""
        places = range(0, self.graph.memory_bytes[self.memory("table")] - _TABLE_BYTES + 1, _TABLE_BYTES)
        return list(places[:_FEW_TABLES] if self._shared_tables else places)

    @cached_property
    def _shared_tables(self) -> bool:
        routes = self.products, self.epilogue, self.elementwise, self.numbers, *([self.windows] if self.windows else ())
        return self.memory("table") in {memory for route in routes for operand, memory in route.memory.items() if operand != "table"}

    def floor(self, memory: str) -> int:
        """Where a memory's operands may begin: behind its tables, if it has any."""
        shared = self._shared_tables and memory == self.memory("table")
        return math.ceil(_FEW_TABLES * _TABLE_BYTES / self.alignment) * self.alignment if shared else 0

    def size(self, memory: str) -> int:
        """Where a memory ends for a layer: what others keep there lies beyond."""
        return self.graph.memory_bytes[memory] - self.reserved.get(memory, 0)

    @cached_property
    def reduction_lanes(self) -> int:
        """Input channels that one step takes together."""
        return self.products.lanes.get("ic", 1)

    @cached_property
    def channel_lanes(self) -> int:
        """Output channels in one word."""
        return self.products.lanes.get("oc", 1)

    @cached_property
    def block(self) -> int:
        """Channels whose bytes lie together between layers: whole words of what products read and of what they make; two at least, so
        that a block is a digit of its own."""
        return max(2, math.lcm(self.reduction_lanes, self.channel_lanes))

    @cached_property
    def alignment(self) -> int:
        """Bytes at whose multiples buffers begin: words of every memory, and the bus."""
        words = {name: self.graph.memory(name).word_bytes for name in self.graph.memory_bytes}
        if not self._shared_tables:
            del words[self.memory("table")]
        return math.lcm(self.graph.bus_bytes, *words.values())


def _narrowness(route: Route) -> tuple[int, int]:
    """What is least of the instruction that does most at a time, in whatever order they are listed."""
    return -math.prod(route.lanes.values()), route.mnemonic.opcode


def _unplaced(statement: Nest) -> Nest:
    """``statement`` with every operand free to live anywhere."""
    known: dict[int, Expr] = {}

    def free(operand: Operand) -> Operand:
        return Operand("?" + operand.name, operand.element, operand.strides)

    def rebuilt(e: Expr) -> Expr:
        if isinstance(e, Load):
            return Load(free(e.operand), e.index)
        if isinstance(e, Lookup):
            return Lookup(free(e.table), e.base, visit(e.index))
        return remade(e, visit)

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            known[id(e)] = rebuilt(e)
        return known[id(e)]

    return Nest(statement.loops, visit(statement.destination), visit(statement.expr))
