"""Programs that set every on-chip memory, and that bring every on-chip memory to where the host can see it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tenon.acg.graph import Graph
from tenon.compiler.instruction import Instruction
from tenon.compiler.tokens import place_tokens

__all__ = ["dump_bytes", "dump_program", "fill_data", "fill_program"]

_MOST = 1 << 16  # steps of a level
_WHOLE = {"y_lim": 1, "x_lim": 1}  # nothing is outside the guard

#: What LOAD fills, in the order in which it lies in segment CONSTANTS.
_LOADED = ("ACT", "WGT", "VEC", "PAR", "TAB")

#: Sums are divided by these powers of two and shown eight bits at a time, the second eight below the first: so the
#: sixteen leading bits of every sum are seen.
_WINDOWS = ((24, 16), (16, 8), (8, 0))


def fill_data(graph: Graph, rng: np.random.Generator, small_parameters: int) -> bytes:
    """Random contents of segment CONSTANTS for ``fill_program``, and 512 bytes more that ``dump_program`` reads.

    The first ``small_parameters`` words of PAR hold numbers in 0..127, which any operand can have for its zero-point.
    """
    parts = {name: rng.integers(0, 256, graph.memory(name).size, dtype=np.uint8) for name in _LOADED}
    parts["PAR"][:small_parameters * graph.memory("PAR").word_bytes].view(np.uint32)[:] &= 127
    return b"".join(part.tobytes() for part in parts.values()) + _patterns(graph)


def _patterns(graph: Graph) -> bytes:
    """Unit vectors as activations, a word of zeros, unit matrices as weights, all numbers of a byte."""
    rows, cols = graph.memory("ACT").word_bytes, graph.memory("WGT").word_bytes
    units = np.eye(rows, dtype=np.uint8).tobytes() + bytes(rows)
    wide = np.eye(rows, max(rows, cols), dtype=np.uint8)
    tiles = b"".join(wide[:, c:c + cols].tobytes() for c in range(0, max(rows, cols), cols))
    return units + tiles + bytes(range(256))


class _Writer:
    """Collects instructions of named fields."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.instructions: list[Instruction] = []

    def add(self, name: str, **fields) -> None:
        mnemonic = self.graph.mnemonic(name)
        self.instructions.append(Instruction(mnemonic, mnemonic.complete(fields)))

    def load(self, memory: str, source: int, size: int, to: int = 0) -> None:
        """``size`` bytes of segment CONSTANTS from ``source``."""
        run = min(size, _MOST // 2)
        assert size % run == 0
        self.add("LOAD", mem=memory.lower(), seg="constants", n=run, n_l0=size // run, s=source, s_l0=run, d=to, d_l0=run,
                 **_WHOLE)

    def store(self, size: int, to: int, source: int = 0) -> None:
        """``size`` bytes of VEC to segment OUTPUTS."""
        run = min(size, _MOST // 2)
        assert size % run == 0
        self.add("STORE", seg="outputs", n=run, n_l0=size // run, s=source, s_l0=run, d=to, d_l0=run)

    def finish(self) -> list[Instruction]:
        return place_tokens(self.graph, self.instructions)


def fill_program(graph: Graph) -> list[Instruction]:
    """Copies ``fill_data`` into the memories, and sums of products of it into the accumulators."""
    writer, at = _Writer(graph), 0
    for name in _LOADED:
        writer.load(name, at, graph.memory(name).size)
        at += graph.memory(name).size
    words = graph.memory("ACC").words
    step = min(words, graph.memory("ACT").words)
    for number, first in enumerate(range(0, words, step)):
        writer.add("MATRIX", n_m0=step, a_m0=1, w=number, d=first, d_m0=1, act_signed=1, wgt_signed=1)
    return writer.finish()


def dump_bytes(graph: Graph) -> int:
    """Bytes that ``dump_program`` writes to segment OUTPUTS."""
    return _Dump(graph).at


def dump_program(graph: Graph) -> list[Instruction]:
    """Copies everything that the memories hold to segment OUTPUTS, as far as hardware shows it.

    VEC, WGT, ACT and TAB byte by byte, of each word of ACC and PAR the sixteen leading bits. The contents are lost.
    """
    return _Dump(graph).writer.finish()


class _Dump:
    """The program and the size of what it writes."""

    def __init__(self, graph: Graph):
        self.graph, self.writer, self.at = graph, _Writer(graph), 0
        self.acc, self.vec, self.act = (graph.memory(name) for name in ("ACC", "VEC", "ACT"))
        self.rows, self.cols = self.act.word_bytes, graph.memory("WGT").word_bytes
        self.patterns = sum(graph.memory(name).size for name in _LOADED)
        self._show(self.vec.size)
        self._sums(self.acc.words)
        # The first activations make way for unit vectors, so they are seen through the weights that are there.
        self.writer.add("MATRIX", n_m0=self.rows + 1, a_m0=1, d_m0=1)
        self._sums(self.rows + 1)
        self.writer.load("ACT", self.patterns, (self.rows + 1) * self.rows)
        self._weights()
        self._activations()
        self._parameters()
        self._tables()

    def _show(self, size: int, source: int = 0) -> None:
        self.writer.store(size, self.at, source)
        self.at += size

    def _chunks(self, words: int, most: int) -> Iterator[tuple[int, int]]:
        for first in range(0, words, most):
            yield first, min(most, words - first)

    def _sums(self, words: int) -> None:
        """The leading bits of the first sums."""
        half = self.vec.words // 2
        for first, count in self._chunks(words, half):
            for high, low in _WINDOWS:
                every = dict(n_o0=count, x=first, x_o0=1, x_sel="acc", d_o0=1, lo=-128, hi=127)
                self.writer.add("VECTOR", **every, s_value=2.0**-high)
                self.writer.add("VECTOR", **every, s_value=2.0**-low, y_sel="i8", y_o0=1, f2="cross",
                                f2_p=-(2.0 ** (high - low)), d=half)
                for source in (0, half * self.cols):
                    self._show(count * self.cols, source)

    def _small_sums(self, words: int) -> None:
        """The first sums, which are unsigned bytes."""
        for first, count in self._chunks(words, self.vec.words):
            self.writer.add("VECTOR", n_o0=count, x=first, x_o0=1, x_sel="acc", d_o0=1, s_value=1.0, hi=255)
            self._show(count * self.cols)

    def _weights(self) -> None:
        """Each tile of weights under the unit vectors is its own sum."""
        wgt = self.graph.memory("WGT")
        for first, count in self._chunks(wgt.words // self.rows, self.acc.words // self.rows):
            self.writer.add("MATRIX", n_n=count, w=first * self.rows, w_n=self.rows, d_n=self.rows, n_m0=self.rows, a_m0=1, d_m0=1)
            self._small_sums(count * self.rows)

    def _activations(self) -> None:
        """Activations times unit matrices, as many as it takes to see all columns."""
        tiles = -(-self.rows // self.cols)
        self.writer.load("WGT", self.patterns + (self.rows + 1) * self.rows, tiles * self.rows * self.cols)
        for first, count in self._chunks(self.act.words, self.acc.words // tiles):
            self.writer.add("MATRIX", n_n=tiles, w_n=self.rows, d_n=count, n_m0=count, a=first, a_m0=1, d_m0=1)
            self._small_sums(tiles * count)

    def _parameters(self) -> None:
        """Parameters as biases, beside products with zero."""
        for first, count in self._chunks(self.graph.memory("PAR").words, self.acc.words):
            self.writer.add("MATRIX", n_n=count, init="bias", b=first, b_n=1, d_n=1, a=self.rows)
            self._sums(count)

    def _tables(self) -> None:
        ramp = self.patterns + (self.rows + 1) * self.rows + self.rows * max(self.rows, self.cols)
        tables, words = self.graph.memory("TAB").size // 256, 256 // self.cols
        self.writer.load("VEC", ramp, 256)
        for number in range(tables):
            self.writer.add("VECTOR", n_o0=words, x_sel="u8", x_o0=1, d=words, d_o0=1, s_value=1.0, hi=255, table="on", t=number)
            self._show(256, 256)
