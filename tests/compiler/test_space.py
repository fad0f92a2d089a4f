"""Spaces, estimates and the search."""

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.home import homes_of
from tenon.compiler.ir import Graph
from tenon.compiler.layer import layers_of
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping
from tenon.compiler.space import space_of
from tenon.compiler.timing import time_program
from tenon.tb.functional import Instruction
from tenon.tb.kernel_networks import COVENANTS, conv, small_network, tensor
from tenon.tb.model import simulate_program

EDGE16 = COVENANTS["edge16"]


def network(x_shape, kernel, channels_out, size, **window) -> Graph:
    x, y = tensor("x", *x_shape), tensor("y", x_shape[0], *size, channels_out)
    kernel = conv(np.random.default_rng(0), x, y, kernel, channels_out=channels_out, **window)
    return Graph("one", {"x": x, "y": y}, ("x",), ("y",), (kernel,))


CONV56 = network((1, 56, 56, 64), (3, 3), 64, (56, 56), pads=(1, 1, 1, 1))
GEMM128 = network((1, 1, 128, 768), (1, 1), 768, (1, 128))
GEMM512 = network((1, 1, 512, 512), (1, 1), 512, (1, 512))


def the_space(graph):
    layer, = layers_of(graph)
    homes, _ = homes_of(graph, [layer], Machine(EDGE16))
    return space_of(Machine(EDGE16), graph, layer, homes)


def test_convolutions_offer_many_points():
    assert the_space(CONV56).size >= 100_000
    assert the_space(GEMM128).size >= 100_000


def test_points_and_mappings_are_the_same():
    space = the_space(CONV56)
    rng = np.random.default_rng(0)
    points = [0, space.size - 1, *map(int, rng.integers(space.size, size=50))]
    assert [space.point(space[p]) for p in points] == points
    assert len({space[p] for p in points}) == len(set(points)), "mappings are hashable"
    for outside in (-1, space.size):
        with pytest.raises(IndexError, match=f"^point must be in 0..{space.size - 1}, not {outside}$"):
            space[outside]
    with pytest.raises(CompileError, match=r"^a mapping has no choice colour for this layer$"):
        space.point(Mapping({**space[0].choices, "colour": 1}))


@pytest.mark.parametrize(("graph", "limit"), [(GEMM512, 534_988), (GEMM128, 300_000), (CONV56, 463_163)],
                         ids=["gemm 512x512x512", "gemm 128x768x768", "conv 3x3 64 56"])
def test_layers_keep_the_array_busy(graph, limit):
    """By the cycle model that stands beside the RTL."""
    program = compile_graph(graph, EDGE16)
    code = [Instruction(i.mnemonic, i.fields, i.header) for i in program.instructions]
    cycles = simulate_program(code, EDGE16).cycles
    assert program.layers[0].bound_cycles <= cycles <= limit


def test_effort_finds_no_worse():
    graph = small_network()
    cycles = [time_program(COVENANTS["tiny"], compile_graph(graph, COVENANTS["tiny"], effort=e).instructions).cycles for e in (1, 8)]
    assert cycles[1] < cycles[0]
