"""Seeded weights that keep activations spread through all the depth of a network, and the network quantised with them.

Layer-sequential unit variance: Mishkin, Matas, "All you need is a good init", ICLR 2016. All layers are measured in one run of a
model that normalises each one's results, as batch normalisation does in training; what it divides by goes into the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx

from tenon.compiler.frontend import quantize
from tenon.flows.zoo.published.float_network import FloatNetwork
from tenon.flows.zoo.published.weighted_layer import WeightedLayer
from tenon.tb.reference import Reference

__all__ = ["Build", "float_model", "quantised", "samples"]

Build = Callable[[FloatNetwork], None]  # grows a network, outputs and all

_SAMPLES = 4  # inputs that set weights and ranges
_SHIFT, _SHIFT_SPREAD = 0.4, 0.3  # of channels: more than half of a result passes Relu
_OCTAVES = (1, 4, 16)  # pixels over which an image stays the same


def samples(network: FloatNetwork, count: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Seeded inputs for one run each: normal, along smooth axes noise of several wavelengths."""
    rng = np.random.default_rng(seed)
    return [{name: _sample(rng, (1, *network.shapes[name][1:]), axes) for name, axes in network.smooth.items()} for _ in range(count)]


def _sample(rng: np.random.Generator, shape: tuple[int, ...], smooth: tuple[int, ...]) -> np.ndarray:
    octaves = _OCTAVES if smooth else (1,)
    total = np.zeros(shape, np.float32)
    for step in octaves:
        noise = rng.standard_normal([-(-size // step) if axis in smooth else size for axis, size in enumerate(shape)], np.float32)
        for axis in smooth:
            noise = np.repeat(noise, step, axis)
        total += noise[tuple(slice(size) for size in shape)]
    return total / np.float32(np.sqrt(len(octaves)))


def float_model(build: Build, name: str, seed: int = 1) -> onnx.ModelProto:
    """The network that ``build`` grows, with weights."""
    probe, network = FloatNetwork(name, batch=_SAMPLES), FloatNetwork(name)
    build(probe)
    build(network)
    drawn = {layer.name: _drawn(layer, np.random.default_rng((seed, number))) for number, layer in enumerate(probe.layers)}
    feeds = samples(probe, _SAMPLES, seed)
    measured = Reference(probe.probe(drawn, seed)).run({n: np.concatenate([f[n] for f in feeds]) for n in feeds[0]})
    weights = {layer.name: _folded(layer, *drawn.pop(layer.name), measured) for layer in probe.layers}
    return network.float_model(weights, seed)


def quantised(build: Build, name: str, seed: int = 1, activations: type[np.integer] = np.uint8) -> onnx.ModelProto:
    """The network that ``build`` grows, quantised with the samples that its weights were scaled on."""
    network = FloatNetwork(name)
    build(network)
    feeds = samples(network, _SAMPLES, seed)
    return quantize(float_model(build, name, seed), {n: np.stack([f[n] for f in feeds]) for n in feeds[0]}, activations)


def _drawn(layer: WeightedLayer, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A weight, and what channels are scaled and shifted by once they are normalised."""
    depth = np.prod(layer.weight) / layer.channels if layer.weight else 1
    weight = rng.standard_normal(layer.weight, np.float32) / np.float32(np.sqrt(depth))
    scale = layer.gain * rng.uniform(0.8, 1.2, layer.channel_shape)
    shift = layer.gain * rng.normal(_SHIFT, _SHIFT_SPREAD, layer.channel_shape)
    return weight, scale.astype(np.float32), shift.astype(np.float32)


def _folded(layer: WeightedLayer, weight: np.ndarray, scale: np.ndarray, shift: np.ndarray,
            measured: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Parameters of the layer's node, such that it computes what the probe did."""
    power = measured[f"{layer.name}.power"].reshape(-1)
    mean = measured[f"{layer.name}.mean"].reshape(-1) if layer.centred else np.zeros(layer.channels, np.float32)
    scale, shift = scale.reshape(-1), shift.reshape(-1)
    if not layer.weight:
        return scale, shift, mean, np.broadcast_to(power, scale.shape).copy()
    factor = (scale / np.sqrt(power)).astype(np.float32)
    along = (1, -1) if layer.op == "MatMul" else (-1, *(1,) * (weight.ndim - 1))
    weight *= factor.reshape(along)
    return weight, (shift - mean * factor).astype(np.float32)
