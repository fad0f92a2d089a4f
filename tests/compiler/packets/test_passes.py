"""Passes: elementwise, pooling, depthwise; every byte of the scratchpad is what the statement says."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.codelets.conv import conv
from tenon.compiler.codelets.depthwise import depthwise
from tenon.compiler.codelets.elementwise import add, largest, lookup, multiply
from tenon.compiler.codelets.pool import average_pool, global_pool, max_pool
from tenon.compiler.errors import CompileError
from tenon.compiler.layout import dense
from tenon.compiler.packets.passes import pass_kernel
from tenon.compiler.packets.statement import whole
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS
from tests.compiler.packets.kernels import executed, placed, slower

GRAPHS = {name: packet_covenant(p) for name, p in PACKET_PRESETS.items()}
BYTES = {"u8": (0, 255), "i8": (-128, 127)}


def lanes(graph):
    return graph.unit("DOT").peak_macs_per_cycle // 4


def blocked(channels, height, width, block):
    return dense([("n", 1, 1), ("c", channels // block, block), ("h", height, 1), ("w", width, 1), ("c", block, 1)])


def pairs(graph, seed, codelet, out, channels, kinds=("u8", "i8"), on=None):
    rng, (height, width) = np.random.default_rng(seed), out
    codelet = codelet(*kinds)
    layouts = {name: blocked(channels, height, width, lanes(graph)) for name in ("a", "b", "y")}
    attributes = {"ra": 0.61, "rb": 0.43, "fixed": -3.5, "lo": 0, "hi": 255, "za": int(rng.integers(*BYTES[kinds[0]])),
                  "zb": int(rng.integers(*BYTES[kinds[1]])), "scale": 0.007, "zy": 9.0}
    nest = placed(codelet.statements["finish"], codelet.dims, layouts, {"n": 1, "oh": height, "ow": width, "oc": channels}, attributes)
    return executed(on or graph, pass_kernel(graph, nest), nest, layouts, rng)


@pytest.mark.parametrize("seed", range(18))
def test_elementwise(seed):
    rng = np.random.default_rng(seed)
    graph = GRAPHS[["vec16", "vec32", "vec128"][seed % 3]]
    out, kinds = [int(n) for n in rng.integers(1, 16, 2)], [str(rng.choice(["u8", "i8"])) for _ in range(2)]
    assert pairs(graph, seed, [add, multiply, largest][seed // 3 % 3], out, lanes(graph), kinds).wrong == 0


def pool(graph, seed, kind, out, channels, kernel, strides, on=None, codelet=max_pool):
    rng, block = np.random.default_rng(seed), lanes(graph)
    codelet = codelet(kind)
    layouts = {"x": blocked(channels, (out[0] - 1) * strides[0] + kernel[0], (out[1] - 1) * strides[1] + kernel[1], block),
               "y": blocked(channels, *out, block)}
    attributes = {"stride_h": strides[0], "stride_w": strides[1], "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0,
                  "lo": BYTES[kind][0], "hi": BYTES[kind][1], "zx": 3, "sx": 0.02, "over_count": 1 / 9, "over_scale": 37.5, "zy": 4,
                  "scale": 0.31}
    extents = {"n": 1, "oh": out[0], "ow": out[1], "oc": channels, "kh": kernel[0], "kw": kernel[1]}
    nest = placed(codelet.statements["finish"], codelet.dims, layouts, extents, attributes)
    return executed(on or graph, pass_kernel(graph, nest), nest, layouts, rng)


@pytest.mark.parametrize("seed", range(6))
def test_tables(seed):
    rng = np.random.default_rng(seed)
    graph, kind = GRAPHS[["vec16", "vec32", "vec128"][seed % 3]], ["u8", "i8"][seed // 3]
    out, codelet = [int(n) for n in rng.integers(1, 16, 2)], lookup(kind)
    tensor = blocked(lanes(graph), *out, lanes(graph))
    layouts = {"x": tensor, "table": dense([("i", 256, 1)]), "y": tensor}
    nest = placed(codelet.statements["finish"], codelet.dims, layouts, {"n": 1, "oh": out[0], "ow": out[1], "oc": lanes(graph)},
                  {"lo": BYTES[kind][0], "hi": BYTES[kind][1]})
    assert executed(graph, pass_kernel(graph, nest), nest, layouts, rng).wrong == 0


@pytest.mark.parametrize("seed", range(12))
def test_pooling(seed):
    rng = np.random.default_rng(seed)
    graph = GRAPHS[["vec16", "vec32", "vec128"][seed % 3]]
    out, kernel, strides = ([int(n) for n in rng.integers(1, high, 2)] for high in (7, 4, 3))
    assert pool(graph, seed, str(rng.choice(["u8", "i8"])), out, lanes(graph) * int(rng.integers(1, 3)), kernel, strides).wrong == 0


@pytest.mark.parametrize("seed", range(8))
def test_means(seed):
    """Sums are of numbers, in the order of the window."""
    rng = np.random.default_rng(seed)
    graph, codelet = GRAPHS[["vec16", "vec32"][seed % 2]], [average_pool, global_pool][seed // 2 % 2]
    out, kernel, strides = ([int(n) for n in rng.integers(1, high, 2)] for high in (7, 4, 3))
    assert pool(graph, seed, str(rng.choice(["u8", "i8"])), out, lanes(graph), kernel, strides, codelet=codelet).wrong == 0


def deep(graph, seed, kinds, out, channels, kernel, strides, on=None):
    """A depthwise convolution; columns of the window are as many as an instruction sums, those beside the window without weight."""
    rng, block = np.random.default_rng(seed), lanes(graph)
    start = depthwise(*kinds)
    end = conv(*kinds, scale_per_channel=True)
    nest = whole(start.statements["start"], end.statements["finish"])
    dims = {**end.dims, **start.dims}
    kh, kw = kernel
    layouts = {"x": blocked(channels, (out[0] - 1) * strides[0] + kh, (out[1] - 1) * strides[1] + 4, block),
               "y": blocked(channels, *out, block),
               "w": dense([("kh", kh, 1), ("oc", channels // block, block), ("kw", 4, 1), ("oc", block, 1)]),
               "bias": dense([("oc", channels, 1)], 4), "scale": dense([("oc", channels, 1)], 4)}
    zw = int(rng.integers(-20, 20)) if kinds[1] == "i8" else int(rng.integers(100, 150))
    weights = rng.integers(BYTES[kinds[1]][0], BYTES[kinds[1]][1] + 1, (kh, channels // block, 4, block))
    weights[:, :, kw:] = zw
    contents = {"w": weights.astype(np.uint8), "bias": rng.integers(-3000, 3000, channels, dtype=np.int32),
                "scale": rng.uniform(0.0003, 0.001, channels).astype(np.float32)}
    attributes = {"stride_h": strides[0], "stride_w": strides[1], "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0,
                  "zx": int(rng.integers(*BYTES[kinds[0]])), "zw": zw, "zy": 7, "lo": 0, "hi": 255}
    extents = {"n": 1, "oh": out[0], "ow": out[1], "oc": channels, "kh": kh, "kw": 4}
    nest = placed(nest, dims, layouts, extents, attributes)
    return executed(on or graph, pass_kernel(graph, nest), nest, layouts, rng, contents)


@pytest.mark.parametrize("seed", range(12))
def test_depthwise(seed):
    rng = np.random.default_rng(seed)
    graph = GRAPHS[["vec16", "vec32", "vec128"][seed % 3]]
    out, kernel, strides = ([int(n) for n in rng.integers(1, high, 2)] for high in (7, 4, 3))
    kinds = [str(rng.choice(["u8", "i8"])) for _ in range(2)]
    assert deep(graph, seed, kinds, out, lanes(graph) * int(rng.integers(1, 3)), kernel, strides).wrong == 0


VEC32 = GRAPHS["vec32"]
CASES = {"add": lambda on: pairs(VEC32, 1, add, (16, 16), 32, on=on), "multiply": lambda on: pairs(VEC32, 1, multiply, (16, 16), 32, on=on),
         "pool": lambda on: pool(VEC32, 1, "u8", (16, 16), 32, (3, 3), (1, 1), on),
         "strided pool": lambda on: pool(VEC32, 1, "u8", (16, 16), 32, (3, 3), (2, 2), on),
         "depthwise": lambda on: deep(VEC32, 1, ("u8", "i8"), (16, 16), 32, (3, 3), (1, 1), on)}


@pytest.mark.parametrize(("case", "packets"), [
    # Rounds, and packets of the slot that is needed most: for four results 8 sums and 4 roundings of two packets each, 9 loads, 17 loads;
    # of a pool with strides each result takes 9 loads.
    ("add", 64 * 24), ("multiply", 64 * 40), ("pool", 64 * 9), ("strided pool", 256 * 9), ("depthwise", 64 * 17)])
def test_the_slot_that_is_needed_most_is_always_busy(case, packets):
    found = CASES[case](None)
    assert not found.wrong and packets <= found.packets <= 1.05 * packets


@pytest.mark.parametrize(("case", "name", "packets"), [
    ("add", "VLD", 1), ("add", "VFMA", 4), ("add", "VRND", 1), ("pool", "VLD", 1), ("pool", "VMAXB", 1), ("depthwise", "VLD", 1),
    ("depthwise", "VDOTV", 1), ("depthwise", "VFMA", 8), ("depthwise", "VRND", 1)])
def test_latencies_that_are_longer_than_promised_are_seen(case, name, packets):
    """The kernel is made for one machine and executed on another, which is slower; some sums wait for their slot anyway."""
    assert CASES[case](slower(VEC32, name, packets)).wrong


def sequenced(**values):
    return replace(VEC32, sequencer=replace(VEC32.sequencer, **values))


def without(name):
    return replace(VEC32, mnemonics=tuple(m for m in VEC32.mnemonics if m.name != name))


@pytest.mark.parametrize(("case", "message"), [
    (lambda: pairs(without("VRND"), 1, add, (4, 4), 32), "no instructions compute it"),
    (lambda: pairs(without("VST"), 1, add, (4, 4), 32), None),  # planes are stored one by one
    (lambda: pairs(without("PST"), 1, add, (3, 1), 32), "no instruction stores 32 bytes of VR"),
    (lambda: pairs(without("VDOT4"), 1, add, (4, 4), 32, on=VEC32), None),
    (lambda: pool(VEC32, 1, "u8", (2, 2), 32, (12, 12), (1, 1)), "no instructions compute it"),
    (lambda: pool(without("VLD"), 1, "u8", (2, 2), 32, (2, 2), (1, 1)), "no instruction loads whole registers from SPM into VR"),
    (lambda: pairs(sequenced(streams=2), 1, add, (4, 4), 32), "more than 1 operands need streams"),
    (lambda: pairs(sequenced(loop_count=3), 1, add, (8, 8), 32), "is more than the sequencer counts"),
])
def test_refusals(case, message):
    if message is None:
        assert case().wrong == 0
        return
    with pytest.raises(CompileError, match=message):
        case()
