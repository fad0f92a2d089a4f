"""VGG: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, table 1."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["vgg"]


def vgg(net: FloatNetwork, depths: Sequence[int] = (2, 2, 4, 4, 4), width: int = 64, size: int = 224, hidden: int = 4096,
        classes: int = 1000) -> None:
    """Stages of ``depths`` convolutions; ``width`` channels in the first, twice as many in each after it up to eight times.

    VGG-19 (configuration E) as it stands; two dense layers of ``hidden`` before the last.
    """
    x = net.image(size)
    for stage, depth in enumerate(depths):
        for _ in range(depth):
            x = net.relu(net.conv(x, width * min(2**stage, 8), 3, bias=True, normalised=False))
        x = net.max_pool(x, 2, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.relu(net.gemm(x, hidden))
    net.output(net.gemm(x, classes))
