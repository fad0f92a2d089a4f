"""SCALE-Sim's closed form: the cycle model says the same of a covenant that describes the same machine."""

import math

import numpy as np
import pytest

from tenon.acg.graph import Graph as Covenant
from tenon.compiler.compile import compile_graph
from tenon.compiler.ir import Conv, Graph
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.compiler.network import Network
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset
from tenon.tb.kernel_networks import tensor
from tenon.tb.weight_stationary import array_cycles, closed_form, weight_stationary

#: Products M x K x N, some of them of BERT, DLRM and classifiers.
PRODUCTS = [(128, 768, 768), (128, 64, 128), (128, 128, 64), (128, 768, 3072), (128, 3072, 768), (32, 512, 512), (32, 512, 1024),
            (32, 1024, 256), (16, 256, 128), (1, 1024, 1000), (1, 2048, 1000), (128, 256, 256), (100, 147, 64), (7, 9, 5), (33, 100, 17)]
#: Kernel, channels in and out, size of the input, stride: ResNet-18's convolutions that differ.
RESNET18 = [(7, 3, 64, 224, 2), (3, 64, 64, 56, 1), (3, 64, 128, 56, 2), (1, 64, 128, 56, 2), (3, 128, 128, 28, 1), (3, 128, 256, 28, 2),
            (1, 128, 256, 28, 2), (3, 256, 256, 14, 1), (3, 256, 512, 14, 2), (1, 256, 512, 14, 2), (3, 512, 512, 7, 1)]
#: Channels in and out, size: pointwise convolutions of MobileNetV2.
MOBILENET = [(32, 16, 112), (16, 96, 112), (96, 24, 56), (24, 144, 56), (144, 24, 56), (144, 32, 28), (32, 192, 28), (192, 32, 28),
             (192, 64, 14), (64, 384, 14), (384, 64, 14), (384, 96, 14), (96, 576, 14), (576, 96, 14), (576, 160, 7), (160, 960, 7),
             (960, 160, 7), (960, 320, 7), (320, 1280, 7)]
CASES = [((1, 1, m, k), 1, n, 1) for m, k, n in PRODUCTS] + [((1, s, s, a), k, b, stride) for k, a, b, s, stride in RESNET18] + [
    ((1, s, s, a), 1, b, 1) for a, b, s in MOBILENET]


@pytest.fixture(scope="module")
def hardware():
    """By way of its file."""
    return Covenant.from_json(weight_stationary(covenant(preset("edge16")), "MATRIX").to_json())


@pytest.mark.parametrize(("shape", "kernel", "channels", "stride"), CASES)
def test_it_is_the_closed_form(hardware, shape, kernel, channels, stride):
    x, pad = tensor("x", *shape), kernel // 2
    sizes = [(s + 2 * pad - kernel) // stride + 1 for s in shape[1:3]]
    y = tensor("y", 1, *sizes, channels)
    weight = np.zeros((kernel, kernel, shape[3], channels), np.int8)
    layer = Conv("layer", ("layer",), "Conv", True, "x", "y", weight, np.zeros(channels, np.int32), np.ones(1, np.float32), 3,
                 np.zeros(1, int), 3, 0, 255, (stride, stride), (pad, pad, pad, pad))
    graph = Graph("one", {"x": x, "y": y}, ("x",), ("y",), (layer,))
    graph.verify()
    whole = {choice.name: choice.options[-1] for choice in Network(graph, hardware).space(0).choices}
    packed = "windows" if shape[3] % 16 else "box"
    mapping = Mapping(whole | {"order": "spatial", "stage": packed, "ramp": 0, "begin": "turn"})
    program = compile_graph(graph, hardware, mapping=NetworkMapping({"layer": mapping}))
    said = closed_form(math.prod(sizes), kernel * kernel * shape[3], channels, 16, 16)
    assert array_cycles(program, "MATRIX") == said
