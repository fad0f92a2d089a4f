"""ShuffleNet V2: Ma, Zhang, Zheng, Sun, "Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018, table 5."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["shufflenet_v2"]


def shufflenet_v2(net: FloatNetwork, channels: Sequence[int] = (24, 116, 232, 464, 1024), repeats: Sequence[int] = (4, 8, 4),
                  size: int = 224, classes: int = 1000) -> None:
    """``channels`` after the first convolution, of each stage, and after the last; stages of ``repeats`` units."""
    first, *stages, last = channels
    x = net.max_pool(net.relu(net.conv(net.image(size), first, 3, 2)), 3, 2, 1)
    for width, units in zip(stages, repeats, strict=True):
        x = _shuffled(net, net.concat([_left(net, x, width // 2), _right(net, x, width // 2, 2)]))
        for _ in range(units - 1):
            kept, changed = net.split(x, [width // 2] * 2)
            x = _shuffled(net, net.concat([kept, _right(net, changed, width // 2, 1)]))
    x = net.relu(net.conv(x, last))
    net.output(net.gemm(net.flatten(net.mean(x)), classes))


def _left(net: FloatNetwork, x: str, width: int) -> str:
    return net.relu(net.conv(net.depthwise(x, 3, 2), width))


def _right(net: FloatNetwork, x: str, width: int, stride: int) -> str:
    x = net.relu(net.conv(x, width))
    return net.relu(net.conv(net.depthwise(x, 3, stride), width))


def _shuffled(net: FloatNetwork, x: str) -> str:
    """Channels of the two halves in turn."""
    _, c, h, w = net.shapes[x]
    return net.reshape(net.transpose(net.reshape(x, (2, c // 2, h, w)), 0, 2, 1, 3, 4), (c, h, w))
