"""Bytes over the bus, counted from instructions, against what is known of small layers."""

import numpy as np

from tenon.compiler.compile import compile_graph
from tenon.compiler.ir import Graph
from tenon.compiler.traffic import traffic_of
from tenon.tb.kernel_networks import COVENANTS, conv, tensor


def test_a_product_moves_its_operands_once():
    """What fits on chip is fetched once: activations, weights, a bias for each column; the result is stored."""
    x, y = tensor("x", 1, 1, 16, 32), tensor("y", 1, 1, 16, 8)
    kernel = conv(np.random.default_rng(0), x, y, (1, 1), channels_out=8)
    graph = Graph("product", {"x": x, "y": y}, ("x",), ("y",), (kernel,))
    program = compile_graph(graph, COVENANTS["edge8"])
    traffic = traffic_of(program.covenant, program.instructions)
    constants = 8 * 4 * (1 + (len(kernel.scale) > 1) + (len(set(kernel.zw.tolist())) > 1))
    assert (traffic.read, traffic.written) == (16 * 32 + 32 * 8 + constants, 16 * 8)
    assert traffic.fetched == len(program.image())
    assert traffic.total == traffic.read + traffic.written + traffic.fetched


def test_padding_is_no_traffic():
    x, y = tensor("x", 1, 4, 4, 8), tensor("y", 1, 4, 4, 8)
    kernel = conv(np.random.default_rng(0), x, y, (3, 3), channels_out=8, pads=(1, 1, 1, 1))
    graph = Graph("padded", {"x": x, "y": y}, ("x",), ("y",), (kernel,))
    program = compile_graph(graph, COVENANTS["edge8"])
    weights = 3 * 3 * 8 * 8
    traffic = traffic_of(program.covenant, program.instructions)
    assert traffic.read - weights <= 4 * 4 * 8 * 9 and traffic.written == 4 * 4 * 8
    loads = sum(i.mnemonic.timing.cycles("occupancy", i.fields) * 8 for i in program.instructions if i.mnemonic.name == "LOAD")
    assert traffic.read < loads, "what only fills must not be counted"
