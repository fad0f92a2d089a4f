"""Streams arrays of operands through a component in simulation: a million vectors take seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.tb import runner

__all__ = ["Stream"]

_DRAIN = 64  # idle cycles after the operands; no pipeline here is deeper


class Stream:
    """A component built into a simulator that reads its inputs from a file, a vector per cycle.

    Parameters
    ----------
    component : wiring.Component
        With plain ports of any width. Its registers start at their initial values.
    no_inline : sequence of str
        Modules to compile once.
    """

    def __init__(self, component: wiring.Component, *, no_inline: Sequence[str] = ()):
        packed = _Packed(component)
        self._inputs, self._outputs = packed.inputs, packed.outputs
        text = emit.verilog(packed, "dut")
        bench = Path(__file__).with_name("stream_bench.sv").read_text()
        self._built = runner.build(
            {"dut.v": text, "stream_bench.sv": bench}, "stream_bench", no_inline=no_inline,
            timing=True, parameters={"IN_WORDS": packed.in_words, "OUT_WORDS": packed.out_words, "DRAIN": _DRAIN})

    def run(self, operands: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs cycle by cycle, for inputs given cycle by cycle.

        Inputs not named are 0. Ports of up to 32 bits are vectors of integers, signed as they like; wider ones arrays
        of 32-bit words (cycle, word), lowest word first. Outputs likewise, unsigned, one row a cycle: those of cycle t
        are sampled while the inputs of cycle t are applied, so results come ``latency`` rows later.
        """
        unknown = operands.keys() - {name for name, _ in self._inputs}
        if unknown:
            raise KeyError(f"no such input: {', '.join(sorted(unknown))}")
        cycles = max(len(values) for values in operands.values())
        columns = []
        for name, width in self._inputs:
            words = _words(width)
            values = np.asarray(operands.get(name, np.zeros(cycles, np.uint32)))
            if values.ndim == 1:
                values = values[:, None]
            block = np.zeros((cycles, words), np.uint32)
            block[:, :values.shape[1]] = values.astype(np.int64) & 0xFFFFFFFF
            columns.append(block)
        vectors = np.concatenate(columns, axis=1)[:, ::-1].astype(">u4")
        with tempfile.TemporaryDirectory(prefix="tenon-stream-") as folder:
            source, sink = Path(folder) / "operands.bin", Path(folder) / "results.bin"
            source.write_bytes(vectors.tobytes())
            runner.simulate(self._built, "tenon.tb.stream_bench", folder=Path(folder),
                            plusargs=[f"+operands={source}", f"+results={sink}"],
                            env={"EXPECTED_CYCLES": str(cycles + _DRAIN)})
            rows = np.fromfile(sink, "<u4").reshape(cycles + _DRAIN, -1)
        results, at = {}, 0
        for name, width in self._outputs:
            words = _words(width)
            results[name] = rows[:, at] if words == 1 else rows[:, at:at + words]
            at += words
        return results


def _words(width: int) -> int:
    return (width + 31) // 32


class _Packed(wiring.Component):
    """All inputs of a component in one vector ``i``, all outputs in ``o``; each starts at a multiple of 32 bits."""

    def __init__(self, component: wiring.Component):
        self._component = component
        members = [("__".join(map(str, path)), member, Value.cast(value)) for path, member, value
                   in component.signature.flatten(component)]
        self._in = [(name, value) for name, member, value in members if member.flow == In]
        self._out = [(name, value) for name, member, value in members if member.flow == Out]
        self.inputs = [(name, len(value)) for name, value in self._in]
        self.outputs = [(name, len(value)) for name, value in self._out]
        self.in_words = sum(_words(width) for _, width in self.inputs)
        self.out_words = sum(_words(width) for _, width in self.outputs)
        super().__init__({"clk": In(1), "i": In(32 * self.in_words), "o": Out(32 * self.out_words)})

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.component = self._component
        m.d.comb += [ClockSignal().eq(self.clk), ResetSignal().eq(0)]
        at = 0
        for _, value in self._in:
            m.d.comb += value.eq(self.i[at:at + len(value)])
            at += 32 * _words(len(value))
        padded = [Cat(value, Const(0, 32 * _words(len(value)) - len(value))) for _, value in self._out]
        m.d.comb += self.o.eq(Cat(*padded))
        return m
