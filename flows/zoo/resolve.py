"""From a built-in's name to its model and test inputs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tenon.compiler.errors import CompileError

__all__ = ["ZooModel", "is_zoo", "resolve"]

_PREFIX = "zoo:"
_LARGEST = 1 << 16  # of any dimension: more is a slip of the keyboard
_MOST = 1 << 28  # elements of any tensor


@dataclass(frozen=True)
class ZooModel:
    """A built-in: ``inputs(n)`` gives n sets of test inputs; ``labels(n)`` their classes, if there are any."""

    name: str
    model: onnx.ModelProto
    inputs: Callable[[int], list[dict[str, np.ndarray]]]
    labels: Callable[[int], np.ndarray] | None = None


def is_zoo(name: str) -> bool:
    return name.startswith(_PREFIX)


def resolve(name: str, cache: Path) -> ZooModel:
    """The built-in called ``name``; what takes long to make is kept in ``cache``.

    Raises
    ------
    CompileError
        For an unknown name, with the nearest ones.
    """
    if name == "zoo:digits":
        from tenon.flows.zoo import digits

        return ZooModel(name, digits.model(cache), lambda n: [{"image": image[None]} for image in digits.test_set(n)[0]],
                        lambda n: digits.test_set(n)[1])
    from tenon.flows.zoo import layers, published, randwire, searched, swiftnet

    plain = name.removeprefix(_PREFIX)
    plain = published.ALIASES.get(plain, plain)
    if plain in published.NETWORKS:
        return ZooModel(name, published.model(plain, cache), lambda count: published.inputs(plain, count))
    if match := re.fullmatch(r"zoo:swiftnet(?:_cell_([abc]))?", name):
        return _network(name, swiftnet.model(match[1] or ""))
    if match := re.fullmatch(r"zoo:randwire_(ws|er|ba)_(\d{1,6})(?:_(imagenet|cifar))?", name):
        return _network(name, randwire.model(match[1], int(match[2]), stem=match[3] or "cifar"))
    if name.removeprefix(_PREFIX) in searched.NETWORKS:
        return _network(name, searched.model(name.removeprefix(_PREFIX)))
    if match := re.fullmatch(r"zoo:gemm_(\d+)x(\d+)x(\d+)", name):
        m, k, n = _sizes(name, match.groups())
        _bounded(name, m * k, k * n, m * n)
        return ZooModel(name, layers.gemm(m, k, n), lambda count: _random(count, (m, k)))
    if match := re.fullmatch(r"zoo:conv_(\d+)x(\d+)_(\d+)_(\d+)_(\d+)(?:_s(\d+))?(_dw)?", name):
        kh, kw, c_in, c_out, size, stride = _sizes(name, match.groups()[:6])
        depthwise = bool(match[7])
        if depthwise and c_out % c_in:
            raise CompileError(f"{name!r}: output channels of a depthwise convolution must be a multiple of its {c_in} input channels")
        _bounded(name, c_in * size**2, kh * kw * c_out * (1 if depthwise else c_in), c_out * (size // stride + 2) ** 2)
        model = layers.conv((kh, kw), c_in, c_out, size, stride, depthwise=depthwise)
        return ZooModel(name, model, lambda n: _random(n, (1, c_in, size, size)))
    from tenon.flows.zoo.listing import names

    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise CompileError(f"{name!r} is not a built-in network{hint} (tenon zoo lists them)")


def _network(name: str, model: onnx.ModelProto) -> ZooModel:
    """A network with random inputs that use the whole range of their scale."""
    declared = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}

    def inputs(count: int) -> list[dict[str, np.ndarray]]:
        rng = np.random.default_rng(7)
        return [{n: rng.normal(0, 2, shape).astype(np.float32) for n, shape in declared.items()} for _ in range(count)]

    return ZooModel(name, model, inputs)


def _sizes(name: str, groups: Sequence[str | None]) -> list[int]:
    sizes = [int(g or 1) for g in groups]
    if min(sizes) < 1 or max(sizes) > _LARGEST:
        raise CompileError(f"{name!r}: every size must be in 1..{_LARGEST}")
    return sizes


def _bounded(name: str, *elements: int) -> None:
    if max(elements) > _MOST:
        raise CompileError(f"{name!r}: a tensor of {max(elements)} elements is too large, at most {_MOST} are supported")


def _random(count: int, shape) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(7)
    return [{"x": rng.uniform(-2.56, 2.54, shape).astype(np.float32)} for _ in range(count)]
