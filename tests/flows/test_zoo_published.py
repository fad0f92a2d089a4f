"""Published networks: small members of each against the reference, spread of activations, sizes against published figures."""

from collections import Counter
from functools import cache, partial

import numpy as np
import pytest

from tenon.compiler.errors import CompileError
from tenon.flows.compile import compile_source
from tenon.flows.execution import Simulator
from tenon.flows.run import Job, run
from tenon.flows.source import Source
from tenon.flows.zoo import published, resolve
from tenon.flows.zoo.cache import cached
from tenon.flows.zoo.published import (
    densenet,
    inception,
    mobilenet,
    resnet,
    shufflenet,
    squeezenet,
    tiny,
    transformer,
    vgg,
    weights,
)
from tenon.flows.zoo.published.float_network import FloatNetwork
from tenon.hw.config import load_config
from tenon.tb.gateware import graph_of
from tenon.tb.reference import Reference

SMALL = {
    "resnet": partial(resnet.resnet, depths=(1, 1, 1, 1), width=8, size=32, classes=10),
    "resnet_bottleneck": partial(resnet.resnet, depths=(1, 2), bottleneck=True, width=8, size=32, classes=10),
    "mobilenet_v2": partial(mobilenet.mobilenet_v2, width=0.25, size=32, stages=3, classes=10),
    "mobilenet_v3_small": partial(mobilenet.mobilenet_v3_small, width=0.25, size=32, blocks=(0, 1, 3, 4), classes=10),
    "efficientnet": partial(mobilenet.efficientnet, width=0.25, size=24, stages=3, repeats=2, classes=10),
    "squeezenet": partial(squeezenet.squeezenet, width=8, size=35, fires=((4,), (4, 4)), classes=10),
    "inception_v1": partial(inception.inception_v1, width=8, size=64, classes=10,
                            modules=(((8, 6, 12, 4, 6, 5),), ((8, 6, 12, 4, 6, 6),), ((8, 6, 10, 4, 8, 8),))),
    "densenet": partial(densenet.densenet, depths=(2, 3), growth=8, size=32, classes=10),
    "shufflenet_v2": partial(shufflenet.shufflenet_v2, channels=(8, 16, 32, 32), repeats=(2, 2), size=32, classes=10),
    "vgg": partial(vgg.vgg, depths=(1, 2), width=8, size=16, hidden=32, classes=10),
    "resnet8": partial(tiny.resnet8, width=8, size=16),
    "resnet8_nhwc": partial(tiny.resnet8, width=4, size=16, nhwc=True),
    "dscnn": partial(tiny.dscnn, width=16, blocks=2, frames=21),
    "dscnn_nhwc": partial(tiny.dscnn, width=8, blocks=2, frames=21, nhwc=True),
    "autoencoder": partial(tiny.autoencoder, width=64, depth=2, size=72),
    "bert_encoder": partial(transformer.bert_encoder, tokens=12, hidden=32, heads=4, inner=64),
    "vit_block": partial(transformer.vit_block, tokens=13, hidden=32, heads=4, inner=64),
}

# Table of torchvision's models (docs.pytorch.org/vision/stable/models.html: "Params", and "GFLOPS", which are multiplications); for
# MLPerf Tiny, trainable parameters as the Keras models of github.com/mlcommons/tiny (benchmark/training) count them; for the blocks,
# parameters of BERT-base's encoder layer and of ViT-B's block: 4 h^2 + 2 h i + 9 h + i for hidden h = 768 and inner i = 3072.
FIGURES = {  # parameters; millions of multiplications
    "resnet18": (11_689_512, 1_814), "resnet50": (25_557_032, 4_089), "mobilenet_v2": (3_504_872, 301),
    "mobilenet_v3_small": (2_542_856, 57), "squeezenet": (1_235_496, 349), "inception_v1": (6_624_904, 1_498),
    "densenet121": (7_978_856, 2_834), "shufflenet_v2": (2_278_604, 145), "efficientnet_b0": (5_288_548, 386),
    "vgg19": (143_667_240, 19_632), "resnet8": (78_186, 12.5), "dscnn": (23_756, 2.66), "autoencoder": (267_928, 0.264),
    "bert_encoder": (7_087_872, 931), "vit_block": (7_087_872, 1_454),
}


def grown(build):
    network = FloatNetwork("small")
    build(network)
    return network


@cache
def small(name, activations):
    return weights.quantised(SMALL[name], name, activations=activations)


@pytest.mark.parametrize("activations", [np.uint8, np.int8])
@pytest.mark.parametrize("name", SMALL)
def test_small_members_equal_the_reference(name, activations):
    params = load_config("edge16")
    model = small(name, activations)
    compiled = compile_source(Source(name, model), graph_of(params))
    assert not compiled.parts.head and not compiled.parts.tail, "nothing but quantisation is left to the host"
    job = Job(compiled, params, name, weights.samples(grown(SMALL[name]), 1, seed=7))
    comparison = run(job, Simulator.FUNCTIONAL)[0].comparison
    assert comparison.passed, comparison.first_difference
    assert comparison.total.elements >= 150


def spread(model, feeds):
    """Of each quantised activation: elements, levels among them, and the share of the more frequent end of the range."""
    constants = {i.name for i in model.graph.initializer}
    names = [n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] not in constants]
    for name, values in Reference(model, names).run(feeds).items():
        if name in names:
            ends = np.iinfo(values.dtype)
            yield name, values.size, len(np.unique(values)), max((values == ends.min).mean(), (values == ends.max).mean())


@pytest.mark.parametrize("name", [*SMALL, "zoo:resnet8", "zoo:dscnn", "zoo:autoencoder", "zoo:squeezenet"])
def test_activations_stay_spread(name, tmp_path):
    """A wrong sum, scale or zero-point shows only in elements that are not clamped, and a wrong place only where neighbours differ:
    32 levels are five bits of each result. Relu alone clamps a third of what is normally distributed, so that an end may have up
    to half; a few elements behind a squeeze may by chance have more of it, and those of a pool are often the same."""
    if name in SMALL:
        model, feeds = small(name, np.uint8), weights.samples(grown(SMALL[name]), 1, seed=7)
    else:
        found = resolve(name, tmp_path)
        model, feeds = found.model, found.inputs(1)
    looked_at = 0
    for tensor, elements, levels, end in spread(model, feeds[0]):
        if elements >= 64:
            assert levels >= min(32, elements // 8), f"{tensor}: {levels} levels of {elements} elements"
            assert end <= 0.5, f"{tensor}: {end:.0%} of {elements} elements are clamped"
            looked_at += 1
    assert looked_at >= 5


@pytest.mark.parametrize("name", published.NETWORKS)
def test_sizes_are_the_published_ones(name):
    network = published.grown(name)
    parameters, millions = FIGURES[name]
    assert network.parameters == parameters
    assert network.macs / 1e6 == pytest.approx(millions, rel=0.01)


def test_graphs_are_those_of_exporters():
    """Normalisations are folded where a convolution is before them; what remains is written as exporters write it."""
    found = Counter(n.op_type for n in weights.float_model(SMALL["shufflenet_v2"], "shufflenet_v2").graph.node)
    assert found["Reshape"] == 2 * found["Transpose"] == 8 and found["Split"] == 2 and not found["BatchNormalization"]
    found = Counter(n.op_type for n in weights.float_model(SMALL["densenet"], "densenet").graph.node)
    assert found["BatchNormalization"] == 5 + 2
    found = Counter(n.op_type for n in weights.float_model(SMALL["vit_block"], "vit_block").graph.node)
    assert (found["LayerNormalization"], found["Gelu"], found["Softmax"], found["MatMul"], found["Add"]) == (2, 1, 1, 6, 6)


@pytest.mark.parametrize("name", ["resnet", "densenet", "bert_encoder"])
def test_weights_give_what_the_probe_measured(name):
    """Results of every layer of the float network, on the samples that weights were scaled on, spread by the layer's gain."""
    network = FloatNetwork(name, batch=4)
    SMALL[name](network)
    model = weights.float_model(SMALL[name], name)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    layers = [layer for layer in network.layers if layer.centred and layer.samples >= 48]
    totals = {layer.name: [] for layer in layers}
    for feeds in weights.samples(network, 4, seed=1):
        got = Reference(model, list(totals)).run(feeds)
        for layer in layers:
            totals[layer.name].append(got[layer.name])
    assert layers
    for layer in layers:
        assert np.concatenate(totals[layer.name]).std() == pytest.approx(layer.gain, rel=0.25), layer.name


def test_seeds():
    build = SMALL["autoencoder"]
    one, again, other = (weights.float_model(build, "autoencoder", seed).SerializeToString() for seed in (1, 1, 2))
    assert one == again != other


def test_models_are_kept_as_long_as_their_recipe(tmp_path):
    recipe, made = tmp_path / "recipe.py", []

    def make():
        made.append(1)
        return small("autoencoder", np.uint8)

    for text in ("one", "one", "two"):
        recipe.write_text(text)
        assert cached(tmp_path / "cache", "name", [str(recipe)], make) == small("autoencoder", np.uint8)
    assert len(made) == 2 and len(list((tmp_path / "cache").iterdir())) == 2


def test_other_names(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "quantised", lambda build, name: small("autoencoder", np.uint8))
    assert resolve("zoo:googlenet", tmp_path).name == "zoo:googlenet"
    assert next(tmp_path.iterdir()).name.startswith("inception_v1-")
    words = r"^'zoo:resnet' is not a built-in network; did you mean .*zoo:resnet50.* \(tenon zoo lists them\)$"
    with pytest.raises(CompileError, match=words):
        resolve("zoo:resnet", tmp_path)
