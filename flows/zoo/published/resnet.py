"""ResNets: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, tables 1 and 6."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["resnet"]

_BRANCH = 0.5  # spread of what a block adds: training starts it at nothing


def resnet(net: FloatNetwork, depths: Sequence[int], *, bottleneck: bool = False, width: int = 64, size: int = 224,
           classes: int = 1000) -> None:
    """Stages of ``depths`` blocks for images of ``size``; ``width`` channels in the first, twice as many in each after it.

    ``bottleneck``: blocks of 1x1, 3x3 and 1x1 with four times the channels at the end, which stride in the 3x3 ("v1.5", as torchvision).
    """
    x = net.relu(net.conv(net.image(size), width, 7, 2))
    x = net.max_pool(x, 3, 2, 1)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            x = _block(net, x, width << stage, 2 if stage and not block else 1, bottleneck)
    net.output(net.gemm(net.flatten(net.mean(x)), classes))


def _block(net: FloatNetwork, x: str, width: int, stride: int, bottleneck: bool) -> str:
    channels = 4 * width if bottleneck else width
    if bottleneck:
        y = net.relu(net.conv(x, width))
        y = net.relu(net.conv(y, width, 3, stride))
        y = net.conv(y, channels, gain=_BRANCH)
    else:
        y = net.relu(net.conv(x, width, 3, stride))
        y = net.conv(y, channels, 3, gain=_BRANCH)
    if net.shapes[x] != net.shapes[y]:
        x = net.conv(x, channels, 1, stride, pad=0)
    return net.relu(net.add(y, x))

