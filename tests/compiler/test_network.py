"""Networks laid out for a machine."""

from dataclasses import replace

from tenon.compiler.hazards import footprints
from tenon.compiler.ir import Lookup
from tenon.compiler.mapping import Mapping
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


def test_weights_of_successive_layers_lie_apart():
    """Whatever stands between them: a layer's weights can come while the last ones are in use."""
    whole = small_network()
    table = next(k for k in whole.kernels if isinstance(k, Lookup))
    kernels = [replace(k, x=table.x) if getattr(k, "x", None) == table.y else k for k in whole.kernels if k is not table]
    network = Network(replace(whole, kernels=tuple(kernels)), COVENANTS["edge8"])  # a pool alone stands between two convolutions
    bought, kinds = [], []
    for number in range(len(network.layers)):
        code = network.lower(number, network.searched(number, 1), network.constants())
        writes = [f for i in code for f in footprints(i) if f.memory == "WGT" and f.write]
        kinds.append(bool(writes))
        if writes:
            bought.append((min(f.low for f in writes), max(f.high for f in writes)))
    assert kinds == [True, True, False, True]
    assert all(before[1] < after[0] or after[1] < before[0] for before, after in zip(bought, bought[1:]))


def test_early_constants_come_before_any_activations():
    network = Network(small_network(), COVENANTS["edge8"])
    counts = {}
    for number in range(len(network.layers)):
        space = network.space(number)
        if not any(choice.name == "early" for choice in space.choices):
            continue
        for early in (1, 32):
            mapping = Mapping({**network.searched(number, 1).choices, "early": early})
            head = network.lower(number, mapping, network.constants())
            brings = [any(f.memory == "CONSTANTS" for f in footprints(i)) for i in head]
            counts.setdefault(early, []).append(brings.index(False))
    assert all(late <= soon for late, soon in zip(counts[1], counts[32])) and sum(counts[1]) < sum(counts[32])
