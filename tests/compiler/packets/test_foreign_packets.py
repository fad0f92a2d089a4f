"""Altered packet machines: what is compiled for them is right, or it is refused in one line."""

from collections import Counter
from dataclasses import replace

from tenon.acg.errors import CovenantError
from tenon.acg.validate import validate
from tenon.compiler.errors import CompileError
from tenon.compiler.layer import layers_of
from tenon.tb.altered_graphs import altered
from tests.compiler.packets.test_network import GRAPHS, random_graph, run

SEEDS = range(60)


def test_altered_packet_machines():
    """Memories merged, split and renamed, instructions dropped, narrowed and reordered, fewer lanes, streams and loops."""
    found = Counter()
    for seed in SEEDS:
        what, graph = altered(GRAPHS["vec32"], seed)
        network = random_graph(seed)
        network = replace(network, outputs=tuple(layer.y for layer in layers_of(network)))
        try:
            validate(graph)
            wrong, _, _ = run(network, graph, seed)
        except (CovenantError, CompileError) as error:
            assert "\n" not in str(error)
            found["refused"] += 1
            continue
        assert wrong == 0, (seed, what)
        found["right"] += 1
    assert found["right"] > 20 and found["refused"] > 10, found
