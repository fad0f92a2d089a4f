"""The published networks by name."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from tenon.compiler.frontend import quantize
from tenon.flows.zoo.cache import cached
from tenon.flows.zoo.published import (
    densenet,
    float_network,
    inception,
    mobilenet,
    resnet,
    shufflenet,
    squeezenet,
    tiny,
    transformer,
    vgg,
    weighted_layer,
    weights,
)
from tenon.flows.zoo.published.float_network import FloatNetwork
from tenon.flows.zoo.published.weights import Build

__all__ = ["ALIASES", "NETWORKS", "Published", "grown", "inputs", "model"]


@dataclass(frozen=True)
class Published:
    """``what`` it is and where it was published; ``build`` grows it at its published size."""

    what: str
    build: Build


NETWORKS = {
    "resnet18": Published("ResNet-18 (He et al., CVPR 2016)", partial(resnet.resnet, depths=(2, 2, 2, 2))),
    "resnet50": Published("ResNet-50 v1.5 (He et al., CVPR 2016)", partial(resnet.resnet, depths=(3, 4, 6, 3), bottleneck=True)),
    "mobilenet_v2": Published("MobileNetV2 1.0 (Sandler et al., CVPR 2018)", mobilenet.mobilenet_v2),
    "mobilenet_v3_small": Published("MobileNetV3-Small 1.0 (Howard et al., ICCV 2019)", mobilenet.mobilenet_v3_small),
    "squeezenet": Published("SqueezeNet 1.1 (Iandola et al., 2016)", squeezenet.squeezenet),
    "inception_v1": Published("GoogLeNet with batch normalisation (Szegedy et al., CVPR 2015)", inception.inception_v1),
    "densenet121": Published("DenseNet-121 (Huang et al., CVPR 2017)", densenet.densenet),
    "shufflenet_v2": Published("ShuffleNet V2 1.0x (Ma et al., ECCV 2018)", shufflenet.shufflenet_v2),
    "efficientnet_b0": Published("EfficientNet-B0 (Tan, Le, ICML 2019)", mobilenet.efficientnet),
    "vgg19": Published("VGG-19 (Simonyan, Zisserman, ICLR 2015)", vgg.vgg),
    "resnet8": Published("MLPerf Tiny, image classification (Banbury et al., 2021)", tiny.resnet8),
    "dscnn": Published("MLPerf Tiny, keyword spotting (Banbury et al., 2021)", tiny.dscnn),
    "autoencoder": Published("MLPerf Tiny, anomaly detection (Banbury et al., 2021)", tiny.autoencoder),
    "bert_encoder": Published("BERT-base, one encoder layer (Devlin et al., NAACL 2019)", transformer.bert_encoder),
    "vit_block": Published("ViT-B/16, one block (Dosovitskiy et al., ICLR 2021)", transformer.vit_block),
}

ALIASES = {"googlenet": "inception_v1"}

_TEST_SEED = 7  # of inputs that are no calibration samples


def grown(name: str) -> FloatNetwork:
    """The network without weights: shapes, multiplications, parameters."""
    network = FloatNetwork(name)
    NETWORKS[name].build(network)
    return network


def model(name: str, cache: Path) -> onnx.ModelProto:
    """The quantised network: uint8 activations, int8 weights per channel. Kept in ``cache``."""
    build = NETWORKS[name].build
    function = build.func if isinstance(build, partial) else build
    recipe = [__file__, *map(inspect.getfile, (function, float_network, weighted_layer, weights, quantize))]
    return cached(cache, name, recipe, lambda: weights.quantised(build, name))


def inputs(name: str, count: int) -> list[dict[str, np.ndarray]]:
    """Seeded inputs that the network's ranges were not found on."""
    return weights.samples(grown(name), count, _TEST_SEED)
