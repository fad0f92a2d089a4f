"""Search for mappings: what it looks at, and that more effort never finds worse."""

import pytest

from tenon.compiler.join import joined
from tenon.compiler.lower import lower
from tenon.compiler.lower.constants import Constants
from tenon.compiler.network import Network
from tenon.compiler.search import _pairs, neighbours, search
from tenon.compiler.timing import time_program
from tenon.compiler.tokens import token_masks
from tenon.tb.kernel_networks import COVENANTS, small_network


@pytest.fixture(scope="module")
def network():
    return Network(small_network(), COVENANTS["edge8"])


def parts(network):
    for number, layer in enumerate(network.layers):
        yield network.machines[number], network.graph, layer, network.homes


def test_pairs_are_of_the_space(network):
    """Two choices differ at most, none of them matters only between layers, and names are whole."""
    seen = changed = 0
    for number, part in enumerate(parts(network)):
        space, best = network.space(number), network.searched(number, 1)
        for mapping in _pairs(*part, space, best):
            space.point(mapping)  # refuses what is not in it
            differ = [c for c in space.choices if mapping.choices[c.name] != best.choices[c.name]]
            assert len(differ) <= 2 and not any(c.between for c in differ)
            seen, changed = seen + 1, changed + any(isinstance(mapping.choices[c.name], str) for c in differ)
    assert seen > 100 and changed > 10


def test_neighbours_leave_alone_what_is_between_layers(network):
    for number in range(len(network.layers)):
        space, best = network.space(number), network.searched(number, 1)
        left = {c.name for c in space.choices if c.between}
        assert all(m.choices[name] == best.choices[name] for m in neighbours(space, best) for name in left)


def test_more_effort_is_never_worse(network):
    less = 0
    for part in parts(network):
        cycles = []
        for effort in (4, 16, 64):
            code = lower(*part, search(*part, effort=effort), Constants())
            twice, _ = joined(part[0].graph, [code, code])
            cycles.append(time_program(part[0].graph, twice, masks=token_masks(part[0].graph, twice)).cycles)
        assert cycles == sorted(cycles, reverse=True)
        less += cycles[-1] < cycles[0]
    assert less
