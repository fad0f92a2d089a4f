"""Networks laid out for a machine."""

from tenon.compiler.hazards import footprints
from tenon.compiler.network import Network
from tenon.tb.kernel_networks import COVENANTS, small_network


def test_each_layers_constants_begin_in_a_page():
    network = Network(small_network(), COVENANTS["edge8"])
    constants, first, size = network.constants(), [], 0
    for number in range(len(network.layers)):
        code = network.lower(number, network.searched(number, 1), constants)
        reads = [f.low for i in code for f in footprints(i) if f.memory == "CONSTANTS"]
        first += [min(reads)] if reads else []
        size = constants.size
    assert len(first) > 2 and all(at % 4096 == 0 for at in first) and first == sorted(set(first))
    assert len(constants.bytes()) == constants.size == size
