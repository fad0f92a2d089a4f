"""The networks of MLPerf Tiny: Banbury et al., "MLPerf Tiny Benchmark", NeurIPS 2021.

Pads are "same", which puts what is odd behind. ``nhwc``: images have their channels last, and a Transpose puts them first, as in an
exported Keras model.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["autoencoder", "dscnn", "resnet8"]


def resnet8(net: FloatNetwork, width: int = 16, size: int = 32, classes: int = 10, nhwc: bool = False) -> None:
    """Image classification on CIFAR-10: three residual blocks."""
    x = _image(net, size, size, 3, nhwc)
    x = net.relu(_conv(net, x, width, (3, 3)))
    for stage in range(3):
        stride, channels = 2 if stage else 1, width << stage
        y = net.relu(_conv(net, x, channels, (3, 3), stride))
        y = _conv(net, y, channels, (3, 3), gain=0.5)
        if stage:
            x = _conv(net, x, channels, (1, 1), stride, normalised=False)
        x = net.relu(net.add(x, y))
    last = net.shapes[x][2]
    net.output(net.softmax(net.gemm(net.flatten(net.average_pool(x, last, last)), classes)))


def dscnn(net: FloatNetwork, width: int = 64, blocks: int = 4, frames: int = 49, classes: int = 12, nhwc: bool = False) -> None:
    """Keyword spotting on ``frames`` of 10 coefficients: depthwise separable convolutions.

    Zhang, Suda, Lai, Chandra, "Hello Edge: Keyword Spotting on Microcontrollers", 2017.
    """
    x = net.relu(_conv(net, _image(net, frames, 10, 1, nhwc), width, (10, 4), 2))
    for _ in range(blocks):
        x = net.relu(_conv(net, x, width, (3, 3), groups=width))
        x = net.relu(_conv(net, x, width, (1, 1)))
    x = net.average_pool(x, net.shapes[x][2:], 1)
    net.output(net.softmax(net.gemm(net.flatten(x), classes)))


def autoencoder(net: FloatNetwork, width: int = 128, depth: int = 4, size: int = 640, code: int = 8) -> None:
    """Anomaly detection on ``size`` features of a machine's sound: ``depth`` dense layers down to ``code`` and as many back."""
    x = net.input("features", (size,), (1,))
    for columns in (*[width] * depth, code, *[width] * depth):
        x = net.relu(net.gemm(x, columns, normalised=True))
    net.output(net.gemm(x, size))


def _image(net: FloatNetwork, height: int, width: int, channels: int, nhwc: bool) -> str:
    if nhwc:
        return net.transpose(net.input("image", (height, width, channels), (1, 2)), 0, 3, 1, 2)
    return net.input("image", (channels, height, width), (2, 3))


def _conv(net: FloatNetwork, x: str, channels: int, kernel: Sequence[int], stride: int = 1, **options) -> str:
    around = [max((-(-size // stride) - 1) * stride + k - size, 0) for size, k in zip(net.shapes[x][2:], kernel, strict=True)]
    pads = (*(a // 2 for a in around), *(a - a // 2 for a in around))
    return net.conv(x, channels, tuple(kernel), stride, pad=pads, bias=True, **options)
