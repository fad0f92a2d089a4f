"""Sums of products as packets: bit for bit what the statement means, in as many packets as products, nearly."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.codelets import conv
from tenon.compiler.errors import CompileError
from tenon.compiler.layout import dense
from tenon.compiler.packets.contraction import contraction
from tenon.compiler.packets.statement import whole
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS
from tests.compiler.packets.kernels import executed, placed, slower

GRAPHS = {name: packet_covenant(p) for name, p in PACKET_PRESETS.items()}
ATTRIBUTES = {"dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0, "zx": 3, "zw": 0, "zy": 5, "lo": 0, "hi": 255,
              "ra": 0.7, "rb": 0.6, "fixed": -1.0, "sum_lo": 0, "sum_hi": 255}


def statement(**options):
    """A convolution with what comes behind it, in one."""
    codelet = conv(**options)
    finish, start = codelet.statements["finish"], codelet.statements["start"]

    return codelet, whole(start, finish)


def run(graph, out, channels, kernel, strides, on=None, **options):
    """Elements that differ, packets, and products; executed ``on`` another machine where one is given."""
    (h, w), (ic, oc), (kh, kw), (sh, sw) = out, channels, kernel, strides
    block = graph.unit("DOT").peak_macs_per_cycle // 4
    inner = min(ic, block)
    layouts = {
        "x": dense([("n", 1, 1), ("c", -(-ic // block), block), ("h", (h - 1) * sh + kh, 1), ("w", (w - 1) * sw + kw, 1), ("c", inner, 1)]),
        "y": dense([("n", 1, 1), ("c", oc // block, block), ("h", h, 1), ("w", w, 1), ("c", block, 1)]),
        "w": dense([("ic", -(-ic // block), block), ("oc", oc // block, block), ("kh", kh, 1), ("kw", kw, 1),
                    ("ic", inner // 4, 4), ("ic", 4, 1), ("oc", block, 1)]),
        "bias": dense([("oc", oc, 1)], 4), "scale": dense([("oc", oc, 1)], 4)}
    layouts["r"] = layouts["y"]
    codelet, nest = statement(**options)
    there = {"r": "residual" in options, "scale": options.get("scale_per_channel")}
    names = [name for name in layouts if name in codelet.dims and there.get(name, True)]
    rng = np.random.default_rng(h * w + ic)
    zeros = {"zx": int(rng.integers(-128, 128) if options["x_type"] == "i8" else rng.integers(0, 256))}
    contents = {"bias": rng.integers(-3000, 3000, oc, dtype=np.int32), "scale": rng.uniform(0.0003, 0.001, oc).astype(np.float32)}
    layouts = {name: layouts[name] for name in names}
    nest = placed(nest, codelet.dims, layouts, {"n": 1, "oh": h, "ow": w, "oc": oc, "kh": kh, "kw": kw, "ic": ic},
                  ATTRIBUTES | {"stride_h": sh, "stride_w": sw, "scale": 0.0008} | zeros)
    found = executed(on or graph, contraction(graph, nest), nest, layouts, rng, {k: v for k, v in contents.items() if k in layouts})
    return found.wrong, found.packets, h * w * oc // block * kh * kw * ic // 4


PLAIN = {"x_type": "u8", "w_type": "i8", "scale_per_channel": True}


@pytest.mark.parametrize("seed", range(24))
def test_random_convolutions(seed):
    rng = np.random.default_rng(seed)
    name = ["vec16", "vec32", "vec128"][seed % 3]
    block = {"vec16": 16, "vec32": 32, "vec128": 128}[name]
    out, kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 15))), tuple(int(n) for n in rng.choice([1, 1, 2, 3], 2))
    channels = int(rng.choice([16, block, 2 * block])), int(rng.choice([block, 2 * block]))
    options = {"x_type": str(rng.choice(["u8", "i8"])), "w_type": str(rng.choice(["u8", "i8"]))}
    options["scale_per_channel"] = bool(rng.random() < 0.5)
    if rng.random() < 0.4:
        options |= {"residual": str(rng.choice(["a", "b"])), "residual_type": str(rng.choice(["u8", "i8"]))}
    wrong, _, _ = run(GRAPHS[name], out, channels, kernel, tuple(int(n) for n in rng.choice([1, 1, 2], 2)), **options)
    assert wrong == 0


@pytest.mark.parametrize(("out", "channels", "kernel", "share"), [((14, 14), (64, 64), (3, 3), 0.99), ((8, 8), (64, 64), (1, 1), 0.95)])
def test_nearly_every_packet_has_a_product(out, channels, kernel, share):
    wrong, packets, products = run(GRAPHS["vec32"], out, channels, kernel, (1, 1), **PLAIN)
    assert not wrong and products / packets > share


@pytest.mark.parametrize(("name", "packets"), [("VFMA", 1), ("VRND", 1), ("VDOT4", 1), ("VLD", 32), ("SLD", 32)])
def test_latencies_that_are_longer_than_promised_are_seen(name, packets):
    """The kernel is made for one machine and executed on another, which is slower; loads come some packets sooner than they must."""
    wrong, _, _ = run(GRAPHS["vec32"], (4, 4), (32, 32), (3, 3), (1, 1), on=slower(GRAPHS["vec32"], name, packets), **PLAIN)
    assert wrong


def test_refusals():
    small = replace(GRAPHS["vec32"], memories=tuple(replace(m, words=16) if m.name == "VR" else m for m in GRAPHS["vec32"].memories))
    with pytest.raises(CompileError, match="VR has too few registers"):
        run(small, (8, 8), (32, 32), (3, 3), (1, 1), **PLAIN)
    without = replace(GRAPHS["vec32"], mnemonics=tuple(m for m in GRAPHS["vec32"].mnemonics if m.name != "VRND"))
    with pytest.raises(CompileError, match="no instructions compute it"):
        run(without, (8, 8), (32, 32), (3, 3), (1, 1), **PLAIN)
