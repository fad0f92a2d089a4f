"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016, in its authors' version 1.1."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["squeezenet"]

_FIRES = ((16, 16), (32, 32), (48, 48, 64, 64))  # squeezed channels between the pools; each half of a fire has four times as many


def squeezenet(net: FloatNetwork, width: int = 64, size: int = 224, fires: Sequence[Sequence[int]] = _FIRES, classes: int = 1000) -> None:
    """``width`` channels after the first convolution; ``fires`` behind each of the pools."""
    x = net.relu(net.conv(net.image(size), width, 3, 2, pad=0, bias=True, normalised=False))
    for group in fires:
        x = net.max_pool(x, 3, 2, ceil=True)
        for squeezed in group:
            x = _fire(net, x, squeezed)
    x = net.relu(net.conv(x, classes, bias=True, normalised=False))
    net.output(net.flatten(net.mean(x)))


def _fire(net: FloatNetwork, x: str, squeezed: int) -> str:
    x = net.relu(net.conv(x, squeezed, bias=True, normalised=False))
    return net.concat([net.relu(net.conv(x, 4 * squeezed, kernel, bias=True, normalised=False)) for kernel in (1, 3)])
