"""Blocks of transformers, as exporters lay them out: dense layers as MatMul and Add, heads split by Reshape and Transpose."""

from __future__ import annotations

import numpy as np

from tenon.flows.zoo.published.float_network import FloatNetwork

__all__ = ["bert_encoder", "vit_block"]


def bert_encoder(net: FloatNetwork, tokens: int = 128, hidden: int = 768, heads: int = 12, inner: int = 3072) -> None:
    """An encoder layer of BERT-base: Devlin, Chang, Lee, Toutanova, "BERT", NAACL 2019; normalisation comes after each sum."""
    x = net.input("hidden_states", (tokens, hidden))
    q, k, v = (net.transpose(net.reshape(net.linear(x, hidden), (tokens, heads, hidden // heads)), 0, 2, 1, 3) for _ in range(3))
    scores = _scaled(net, "Div", net.matmul(q, net.transpose(k, 0, 1, 3, 2)), (hidden // heads) ** 0.5)
    x = net.layer_norm(net.add(net.linear(_joined(net, scores, v), hidden), x))
    y = net.linear(net.unary("Gelu", net.linear(x, inner)), hidden)
    net.output(net.layer_norm(net.add(y, x)))


def vit_block(net: FloatNetwork, tokens: int = 197, hidden: int = 768, heads: int = 12, inner: int = 3072) -> None:
    """A block of ViT-B/16: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; normalisation comes before each layer.

    Queries, keys and values are one product, as in timm.
    """
    x = net.input("tokens", (tokens, hidden))
    fused = net.reshape(net.linear(net.layer_norm(x), 3 * hidden), (tokens, 3, heads, hidden // heads))
    q, k, v = (_first(net, part) for part in net.split(net.transpose(fused, 2, 0, 3, 1, 4), [1, 1, 1], axis=0))
    q = _scaled(net, "Mul", q, (hidden // heads) ** -0.5)
    scores = net.matmul(q, net.transpose(k, 0, 1, 3, 2))
    x = net.add(x, net.linear(_joined(net, scores, v), hidden, gain=0.5))
    y = net.linear(net.unary("Gelu", net.linear(net.layer_norm(x), inner)), hidden, gain=0.5)
    net.output(net.add(x, y))


def _scaled(net: FloatNetwork, op: str, x: str, by: float) -> str:
    return net.node(op, [x, net.constant(np.float32(by))], net.shapes[x])


def _first(net: FloatNetwork, x: str) -> str:
    """Without the first dimension, of one element."""
    return net.node("Squeeze", [x, net.constant(np.array([0], np.int64))], net.shapes[x][1:])


def _joined(net: FloatNetwork, scores: str, v: str) -> str:
    """The heads' weighted values, side by side."""
    context = net.transpose(net.matmul(net.softmax(scores), v), 0, 2, 1, 3)
    _, tokens, heads, depth = net.shapes[context]
    return net.reshape(context, (tokens, heads * depth))
