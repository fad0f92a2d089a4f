"""What a layer has to read, counted window by window."""

import numpy as np
import pytest

from tenon.compiler.ir import Pool
from tenon.compiler.touched import touched_bytes
from tenon.tb.kernel_networks import conv, tensor


def counted(kernel, size, shape, outputs) -> int:
    seen = np.zeros(shape[1:3], bool)
    for oy in range(outputs[1]):
        for ox in range(outputs[2]):
            for ky in range(size[0]):
                for kx in range(size[1]):
                    y = oy * kernel.strides[0] + ky * kernel.dilations[0] - kernel.pads[0]
                    x = ox * kernel.strides[1] + kx * kernel.dilations[1] - kernel.pads[1]
                    if 0 <= y < shape[1] and 0 <= x < shape[2]:
                        seen[y, x] = True
    return shape[0] * shape[3] * int(seen.sum())


@pytest.mark.parametrize(("size", "strides", "dilations", "pads"), [
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0)), ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1)), ((2, 3), (4, 2), (1, 1), (0, 1, 0, 1)),
    ((3, 2), (2, 3), (3, 1), (2, 0, 1, 0)), ((3, 1), (1, 5), (4, 2), (0, 0, 0, 0))])
def test_against_counting(size, strides, dilations, pads):
    shape = (2, 11, 14, 5)
    outputs = (2, *((t + a + b - (k - 1) * d - 1) // s + 1 for t, a, b, k, s, d in zip(
        shape[1:3], pads[:2], pads[2:], size, strides, dilations)), 6)
    x, y = tensor("x", *shape), tensor("y", *outputs)
    kernel = conv(np.random.default_rng(0), x, y, size, channels_out=6, strides=strides, dilations=dilations, pads=pads)
    pool = Pool("p", ("p",), "MaxPool", True, "max", "x", "y", size, strides, pads, dilations)
    wanted = counted(kernel, size, shape, outputs)
    assert touched_bytes(kernel, shape, outputs) == touched_bytes(pool, shape, outputs) == wanted


def test_all_of_what_has_no_windows():
    pool = Pool("p", ("p",), "GlobalAveragePool", True, "global", "x", "y", (7, 7))
    assert touched_bytes(pool, (1, 7, 7, 3), (1, 1, 1, 3)) == 147
