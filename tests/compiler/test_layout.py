"""Layouts: addresses, digits, and tensors to bytes and back."""

import numpy as np
import pytest

from tenon.acg.expr import Loop
from tenon.compiler.layout import Axis, Layout, blocked, dense, row_major


@pytest.mark.parametrize("layout", [row_major((2, 3, 5, 20)), blocked((2, 3, 5, 20), 16), blocked((2, 3, 5, 20), 4)],
                         ids=["row-major", "blocks of 16", "blocks of 4"])
def test_tensors_come_back(layout):
    tensor = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 20)).astype(np.uint8)
    data = layout.scatter(tensor)
    assert data.size == layout.bytes
    assert (layout.gather(data, tensor.shape) == tensor).all()
    for n, h, w, c in ((0, 0, 0, 0), (1, 2, 4, 19), (1, 0, 3, 17)):
        assert data[layout.offset(n=n, h=h, w=w, c=c)] == tensor[n, h, w, c]


def test_blocks_keep_channels_together():
    layout = blocked((1, 4, 6, 40), 16)
    assert layout.bytes == 3 * 4 * 6 * 16
    assert layout.offset(c=17) == 4 * 6 * 16 + 1
    assert layout.offset(h=-1, w=-2) == -(6 + 2) * 16, "coordinates may lie before the tensor"


def test_index_forms_become_addresses():
    layout = blocked((1, 4, 6, 40), 16)
    i, j = Loop("i", 16), Loop("j", 3)
    assert layout.address("c", j * 16 + i, {"i": 16, "j": 3}).bind({}) == {"i": 1, "j": 384}
    assert layout.address("h", i * 2 + 1, {"i": 2}).bind({}) == {"": 96, "i": 192}


def test_what_crosses_a_digit_is_refused():
    layout = blocked((1, 4, 6, 40), 16)
    with pytest.raises(ValueError, match="crosses a digit"):
        layout.address("c", Loop("i", 17) + 0, {"i": 17})
    with pytest.raises(ValueError, match="puts two elements into one byte"):
        Layout((Axis("h", 4, 8), Axis("w", 9, 1)), 40)


def test_json_round_trip():
    layout = dense([("n", 1, 1), ("c", 2, 8), ("h", 3, 1), ("w", 5, 1), ("c", 8, 1)])
    assert Layout.from_json(layout.to_json(), layout.bytes) == layout
