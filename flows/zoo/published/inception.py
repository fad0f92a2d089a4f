"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, table 1.

As torchvision builds it: batch normalisation instead of local response normalisation, 3x3 where the table says 5x5, no
auxiliary classifiers.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["inception_v1"]

# 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; behind the pool.
_MODULES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
     (256, 160, 320, 32, 128, 128)),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def inception_v1(net: FloatNetwork, width: int = 64, size: int = 224, modules: Sequence[Sequence[Sequence[int]]] = _MODULES,
                 classes: int = 1000) -> None:
    """``width`` channels in the first layers; ``modules`` between the pools."""
    x = net.max_pool(net.relu(net.conv(net.image(size), width, 7, 2)), 3, 2, ceil=True)
    x = net.relu(net.conv(net.relu(net.conv(x, width)), 3 * width, 3))
    for number, group in enumerate(modules):
        x = net.max_pool(x, 2 if number == 2 else 3, 2, ceil=True)
        for module in group:
            x = _module(net, x, *module)
    net.output(net.gemm(net.flatten(net.mean(x)), classes))


def _module(net: FloatNetwork, x: str, one: int, three_in: int, three: int, five_in: int, five: int, pooled: int) -> str:
    return net.concat([
        net.relu(net.conv(x, one)),
        net.relu(net.conv(net.relu(net.conv(x, three_in)), three, 3)),
        net.relu(net.conv(net.relu(net.conv(x, five_in)), five, 3)),
        net.relu(net.conv(net.max_pool(x, 3, 1, 1, ceil=True), pooled)),
    ])
