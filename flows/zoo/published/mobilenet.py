"""MobileNets: inverted residuals with linear bottlenecks, and what search made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["efficientnet", "mobilenet_v2", "mobilenet_v3_small", "rounded"]

_BRANCH = 0.5  # spread of what a block adds

# Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2", CVPR 2018, table 2: expansion, channels, repeats, stride.
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

# Howard et al., "Searching for MobileNetV3", ICCV 2019, table 2: kernel, expanded channels, channels, squeeze, hard swish, stride.
_V3_SMALL = ((3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1), (5, 96, 40, True, True, 2),
             (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1), (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1),
             (5, 288, 96, True, True, 2), (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1))

# Tan, Le, "EfficientNet", ICML 2019, table 1: expansion, kernel, channels, repeats, stride.
_B0 = ((1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1), (6, 5, 192, 4, 2), (6, 3, 320, 1, 1))

_Activation = Callable[[str], str]


def rounded(channels: float) -> int:
    """To a multiple of 8, at most a tenth lower."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8


def mobilenet_v2(net: FloatNetwork, width: float = 1.0, size: int = 224, stages: int = 7, classes: int = 1000) -> None:
    """``width`` times the channels; the first ``stages`` of the table's seven."""
    x = net.relu6(net.conv(net.image(size), rounded(32 * width), 3, 2))
    for expansion, channels, repeats, stride in _V2[:stages]:
        for block in range(repeats):
            hidden = expansion * net.shapes[x][1]
            x = _inverted(net, x, hidden, rounded(channels * width), 3, stride if not block else 1, net.relu6)
    x = net.relu6(net.conv(x, rounded(1280 * width)))
    net.output(net.gemm(net.flatten(net.mean(x)), classes))


def mobilenet_v3_small(net: FloatNetwork, width: float = 1.0, size: int = 224, blocks: Sequence[int] = range(11),
                       classes: int = 1000) -> None:
    """``width`` times the channels; those ``blocks`` of the table's eleven."""
    x = net.hard_swish(net.conv(net.image(size), rounded(16 * width), 3, 2))
    for kernel, hidden, channels, squeezed, swish, stride in (_V3_SMALL[b] for b in blocks):
        inner = rounded(hidden * width)
        x = _inverted(net, x, inner, rounded(channels * width), kernel, stride, net.hard_swish if swish else net.relu,
                      rounded(inner / 4) if squeezed else 0, net.relu, net.hard_sigmoid)
    x = net.mean(net.hard_swish(net.conv(x, 6 * net.shapes[x][1])))
    x = net.hard_swish(net.gemm(net.flatten(x), rounded(1024 * width)))
    net.output(net.gemm(x, classes))


def efficientnet(net: FloatNetwork, width: float = 1.0, size: int = 224, stages: int = 7, repeats: int = 4, classes: int = 1000) -> None:
    """B0 with ``width`` times the channels; the first ``stages`` of the table's seven, of at most ``repeats`` blocks."""
    x = net.silu(net.conv(net.image(size), rounded(32 * width), 3, 2))
    for expansion, kernel, channels, most, stride in _B0[:stages]:
        for block in range(min(most, repeats)):
            c = net.shapes[x][1]
            x = _inverted(net, x, expansion * c, rounded(channels * width), kernel, stride if not block else 1, net.silu, max(1, c // 4),
                          net.silu, lambda gate: net.unary("Sigmoid", gate))
    x = net.silu(net.conv(x, 4 * net.shapes[x][1]))
    net.output(net.gemm(net.flatten(net.mean(x)), classes))


def _inverted(net: FloatNetwork, x: str, hidden: int, channels: int, kernel: int, stride: int, activation: _Activation,
              squeezed: int = 0, inner: _Activation | None = None, gate: _Activation | None = None) -> str:
    """Expand, convolve depthwise, project; between the last two, channels are weighted by what ``squeezed`` of them say
    (Hu, Shen, Sun, "Squeeze-and-Excitation Networks", CVPR 2018)."""
    start = x
    if hidden != net.shapes[x][1]:
        x = activation(net.conv(x, hidden))
    x = activation(net.depthwise(x, kernel, stride))
    if squeezed:
        weights = inner(net.conv(net.mean(x), squeezed, bias=True, normalised=False))
        x = net.mul(x, gate(net.conv(weights, hidden, bias=True, normalised=False)))
    adds = net.shapes[start] == (*net.shapes[x][:1], channels, *net.shapes[x][2:])
    x = net.conv(x, channels, gain=_BRANCH if adds else 1.0)
    return net.add(start, x) if adds else x
