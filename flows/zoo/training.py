"""Trains the digits network: a small residual CNN, in numpy, seeded, in some seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Digits", "Weights", "load", "start", "train"]

_HELD_OUT = 360  # images that training never sees
_EPOCHS, _BATCH, _RATE = 14, 32, 2e-3
_WIDTH, _DEPTH = 16, 32  # channels of the first two convolutions, and of the third


@dataclass(frozen=True)
class Digits:
    """Images [N, 1, 8, 8] in 0..1 and labels; the split is seeded."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


#: Parameters by name: ``conv1.w`` [CO, CI, 3, 3], ``conv1.b``, ..., ``dense.w`` [K, 10], ``dense.b``.
Weights = dict[str, np.ndarray]


def load(seed: int = 1) -> Digits:
    """scikit-learn's 1,797 images of handwritten digits."""
    from sklearn.datasets import load_digits  # takes a second, which who wants only the weights' shapes need not wait

    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.images))
    images = (data.images[order, None] / 16).astype(np.float32)
    labels = data.target[order]
    return Digits(images[_HELD_OUT:], labels[_HELD_OUT:], images[:_HELD_OUT], labels[:_HELD_OUT])


def train(digits: Digits, seed: int = 1) -> Weights:
    """Weights after some epochs of Adam on cross-entropy, with images shifted by up to one pixel."""
    rng = np.random.default_rng(seed)
    weights = start(rng)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    step = 0
    for epoch in range(_EPOCHS):
        rate = _RATE * (1 - epoch / _EPOCHS)
        order = rng.permutation(len(digits.train_images))
        for first in range(0, len(order), _BATCH):
            chosen = order[first:first + _BATCH]
            shift = tuple(int(v) for v in rng.integers(-1, 2, 2))
            images = np.roll(digits.train_images[chosen], shift, (2, 3))
            step += 1
            for name, gradient in _gradients(weights, images, digits.train_labels[chosen]).items():
                mean, square = moments[name]
                mean += 0.1 * (gradient - mean)
                square += 0.001 * (gradient**2 - square)
                corrected = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
                weights[name] -= (rate * corrected).astype(np.float32)
    return weights


def start(rng: np.random.Generator) -> Weights:
    """Weights before training."""
    def normal(*shape, fan_in):
        return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)

    return {
        "conv1.w": normal(_WIDTH, 1, 3, 3, fan_in=9), "conv1.b": np.zeros(_WIDTH, np.float32),
        "conv2.w": normal(_WIDTH, _WIDTH, 3, 3, fan_in=9 * _WIDTH), "conv2.b": np.zeros(_WIDTH, np.float32),
        "conv3.w": normal(_DEPTH, _WIDTH, 3, 3, fan_in=9 * _WIDTH), "conv3.b": np.zeros(_DEPTH, np.float32),
        "dense.w": normal(_DEPTH * 16, 10, fan_in=_DEPTH * 16), "dense.b": np.zeros(10, np.float32),
    }


def _patches(x: np.ndarray) -> np.ndarray:
    """[N, H, W, C * 9] windows of [N, C, H, W], padded by one."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(x), windows.shape[2], windows.shape[3], -1)


def _conv(x, w, b):
    patches = _patches(x)
    return (patches @ w.reshape(len(w), -1).T + b).transpose(0, 3, 1, 2), patches


def _conv_back(g, w, patches):
    """Gradients of a convolution's weights, bias and input."""
    g = g.transpose(0, 2, 3, 1)
    dw = (g.reshape(-1, len(w)).T @ patches.reshape(-1, patches.shape[-1])).reshape(w.shape)
    flipped = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    dx, _ = _conv(g.transpose(0, 3, 1, 2), flipped, np.zeros(len(flipped), np.float32))
    return dw, g.sum((0, 1, 2)), dx


def _gradients(w: Weights, x: np.ndarray, labels: np.ndarray) -> Weights:
    """Gradients of the mean cross-entropy; the network is conv, conv, add, pool, conv, dense."""
    one, p1 = _conv(x, w["conv1.w"], w["conv1.b"])
    a1 = np.maximum(one, 0)
    two, p2 = _conv(a1, w["conv2.w"], w["conv2.b"])
    total = two + a1
    a2 = np.maximum(total, 0)
    n, c = a2.shape[:2]
    tiles = a2.reshape(n, c, 4, 2, 4, 2)
    pooled = tiles.max((3, 5))
    three, p3 = _conv(pooled, w["conv3.w"], w["conv3.b"])
    a3 = np.maximum(three, 0)
    flat = a3.reshape(n, -1)
    logits = flat @ w["dense.w"] + w["dense.b"]
    logits -= logits.max(1, keepdims=True)
    g = np.exp(logits)
    g /= g.sum(1, keepdims=True)
    g[np.arange(n), labels] -= 1
    g /= n

    out: Weights = {"dense.w": flat.T @ g, "dense.b": g.sum(0)}
    g = (g @ w["dense.w"].T).reshape(a3.shape) * (three > 0)
    out["conv3.w"], out["conv3.b"], g = _conv_back(g, w["conv3.w"], p3)
    winners = tiles == pooled[:, :, :, None, :, None]
    g = (winners * (g[:, :, :, None, :, None] / winners.sum((3, 5), keepdims=True))).reshape(a2.shape) * (total > 0)
    out["conv2.w"], out["conv2.b"], back = _conv_back(g, w["conv2.w"], p2)
    g = (g + back) * (one > 0)
    out["conv1.w"], out["conv1.b"], _ = _conv_back(g, w["conv1.w"], p1)
    return out
