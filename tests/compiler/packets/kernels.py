"""A kernel beside its statement: executed by packets and by the interpreter of effects, on one scratchpad of random bytes."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tenon.acg.expr import Nest
from tenon.acg.graph import Graph
from tenon.acg.interpret import run as interpret
from tenon.acg.packet import Base, End, Level, Packet, decode_packet, encode_packet
from tenon.compiler.layout import Layout
from tenon.compiler.packets.kernel import Kernel
from tenon.compiler.placing import Tile, place
from tenon.tb.packets.simulate import PacketSimulator

__all__ = ["Result", "executed", "placed", "slower"]


class Result(NamedTuple):
    wrong: int
    packets: int


def placed(nest: Nest, dims, layouts: dict[str, Layout], extents: dict[str, int], attributes: dict[str, float]) -> Nest:
    """A statement on tensors in the scratchpad."""
    return place(nest, dims, {n: Tile("SPM", layout) for n, layout in layouts.items()}, extents, attributes)


def executed(graph: Graph, kernel: Kernel, nest: Nest, layouts: dict[str, Layout], rng: np.random.Generator,
             contents: dict[str, np.ndarray] | None = None) -> Result:
    """Bytes of the whole scratchpad that are other than the statement says, and packets. Operands are random but for ``contents``."""
    simulator, base, at = PacketSimulator(graph), {}, 1024
    spm = simulator.memories["SPM"]
    for name, layout in layouts.items():
        base[name], at = at, at + -(-layout.bytes // 512) * 512 + 512
    assert at <= spm.size, "the test's tensors do not fit"
    spm[:] = rng.integers(0, 256, spm.size, dtype=np.uint8)
    for name, data in (contents or {}).items():
        raw = data.reshape(-1).view(np.uint8)
        spm[base[name]:base[name] + raw.size] = raw
    spm[:len(kernel.scalars)] = np.frombuffer(kernel.scalars, np.uint8)
    expected = spm.copy()
    interpret(nest, base, {"SPM": expected})
    program = [Packet(control=Base(0, 0))]
    for number, stream in enumerate(kernel.streams, 1):
        program += [Packet(control=Level(number, k, extent, step // 16)) for k, (extent, step) in enumerate(stream.levels)]
        program.append(Packet(control=Base(number, (base[stream.base] + stream.offset) // 16)))
    program += [*kernel.setup, *kernel.packets, Packet(control=End())]
    found = simulator.run([decode_packet(graph, encode_packet(graph, p)) for p in program], {})
    return Result(int((simulator.memories["SPM"] != expected).sum()), found.packets)


def slower(graph: Graph, name: str, packets: int = 1) -> Graph:
    """The same machine, but for results of one instruction, which are seen so many packets later."""
    return replace(graph, mnemonics=tuple(
        replace(m, timing=replace(m.timing, visible=str(m.timing.cycles("visible", m.complete({})) + packets))) if m.name == name else m
        for m in graph.mnemonics))
