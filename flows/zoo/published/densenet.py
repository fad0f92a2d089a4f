"""DenseNets: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", CVPR 2017, table 1."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["densenet"]


def densenet(net: FloatNetwork, depths: Sequence[int] = (6, 12, 24, 16), growth: int = 32, size: int = 224, classes: int = 1000) -> None:
    """Blocks of ``depths`` layers; each layer reads all before it in its block and adds ``growth`` channels.

    Normalisation comes before convolution, so that what follows a concatenation stays a BatchNormalization.
    """
    x = net.max_pool(net.relu(net.conv(net.image(size), 2 * growth, 7, 2)), 3, 2, 1)
    for number, depth in enumerate(depths):
        made = [x]
        for _ in range(depth):
            y = net.concat(made) if len(made) > 1 else x
            y = net.relu(net.conv(net.relu(net.batch_norm(y)), 4 * growth))
            made.append(net.conv(y, growth, 3, normalised=False))
        x = net.batch_norm(net.concat(made))
        x = net.relu(x)
        if number + 1 < len(depths):
            x = net.average_pool(net.conv(x, net.shapes[x][1] // 2, normalised=False), 2, 2)
    net.output(net.gemm(net.flatten(net.mean(x)), classes))
