"""What an architecture graph implies for lowering: who computes what, out of which memories, on how many lanes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from acg.expr import Expr, Load, Lookup, Nest, Op, Operand, Reduce
from acg.graph import Graph
from compiler.codelets import add, conv, depthwise, normalise
from compiler.errors import CompileError
from compiler.layout import dense
from compiler.placing import Tile, place
from compiler.select import Route, Template, routes, select

__all__ = ["Machine"]

_SPARE_COLUMNS = 3  # by how many columns a kernel may be filled up


@dataclass(frozen=True, eq=False)
class Machine:
    """A graph with the questions that lowering asks of it answered once, by matching codelets to its mnemonics."""

    graph: Graph
    reserved: Mapping[str, int] = field(default_factory=dict)  # bytes at the top of memories, for what stays there

    def select(self, statement: Nest) -> Template | None:
        return select(self.graph.mnemonics, statement)

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
        return next((r for r in routes(self.graph.mnemonics, statement) if "oc" in r.lanes), None)

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
        lanes, memory, best = self.window_lanes, self.windows.memory, None
        attributes = {"stride_h": strides[0], "stride_w": strides[1], "dilation_h": dilations[0], "dilation_w": dilations[1],
                      "pad_top": 0, "pad_left": 0, "zx": 0, "zw": 0}
        for wide in range(columns, columns + _SPARE_COLUMNS + 1):
            height, width = ((4 - 1) * s + (k - 1) * d + 1 for s, k, d in zip(strides, (rows, wide), dilations))
            tiles = {"x": dense([("n", 1, 1), ("h", height, 1), ("w", width, 1), ("c", lanes, 1)]),
                     "acc": dense([("n", 1, 1), ("h", 4, 1), ("w", 4, 1), ("c", lanes, 1)], 4),
                     "w": dense([("kh", rows, 1), ("kw", wide, 1), ("oc", lanes, 1)]), "bias": dense([("oc", lanes, 1)], 4)}
            codelet = depthwise("u8", "i8")
            nest = place(codelet.statements["start"], codelet.dims, {n: Tile(memory[n], t) for n, t in tiles.items()},
                         {"n": 1, "oh": 4, "ow": 4, "oc": lanes, "kh": rows, "kw": wide}, attributes)
            found = self.select(nest)
            if found is not None:
                full = found.mnemonic.complete(found.at(x=0, acc=0, w=0, bias=0))
                cost = found.mnemonic.evaluate("occupancy", full)
                if best is None or cost < best[0]:
                    best = cost, wide
        return best[1] if best else None

    def _route(self, statement: Nest, what: str) -> Route:
        for route in routes(self.graph.mnemonics, _unplaced(statement)):
            return route
        raise CompileError(f"no instruction of {self.graph.name} computes {what}")

    def memory(self, operand: str) -> str:
        """The memory that holds an operand of a convolution (or ``table``)."""
        return {**self.epilogue.memory, **self.products.memory}[operand]

    def size(self, memory: str) -> int:
        """Bytes of a memory that a layer may use."""
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
    def alignment(self) -> int:
        """Bytes at whose multiples buffers begin: words of every memory, and the bus."""
        return math.lcm(self.graph.bus_bytes, *(m.word_bytes for m in self.graph.memories
                                                if m.space == "on-chip" and m.name != self.memory("table")))


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
        if isinstance(e, Op):
            return Op(e.name, tuple(visit(a) for a in e.args))
        if isinstance(e, Reduce):
            return Reduce(e.op, e.loops, visit(e.body))
        return e

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            known[id(e)] = rebuilt(e)
        return known[id(e)]

    return Nest(statement.loops, visit(statement.destination), visit(statement.expr))
