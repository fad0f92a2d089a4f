import pytest

from tenon.compiler.network import Network
from tenon.compiler.tune import NetworkSpace
from tenon.tb.kernel_networks import COVENANTS, small_network


@pytest.fixture(scope="session")
def space():
    return NetworkSpace(Network(small_network(), COVENANTS["edge8"], on_chip=True))


@pytest.fixture(scope="session")
def start(space):
    return space.start()
