"""What tuners learn with: gradients are right, policies and cost models get better, samples stand for what they are taken from."""

import numpy as np
import pytest

from tenon.compiler.tune.boosted import Boosted
from tenon.compiler.tune.perceptron import Perceptron
from tenon.compiler.tune.policy import policy_slope


def differences(value, array: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The gradient of ``value()`` by each element of ``array``, from differences."""
    found = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = value()
        array[index] = kept - step
        found[index] = (above - value()) / (2 * step)
        array[index] = kept
    return found


@pytest.mark.parametrize("widths", [(3, 4), (3, 20, 20, 6), (2, 5, 5, 5, 1)])
def test_a_perceptrons_gradients(widths):
    rng = np.random.default_rng(0)
    net, x, target = Perceptron(widths, rng), rng.normal(size=(7, widths[0])), rng.normal(size=(7, widths[-1]))

    def loss():
        return float(((net(x) - target) ** 2).sum())

    found = net.gradients(x, 2 * (net(x) - target))
    for parameter, gradient in zip(net.parameters, found, strict=True):
        np.testing.assert_allclose(gradient, differences(loss, parameter), rtol=1e-4, atol=1e-6)


def test_the_policys_gradient():
    """Where the ratio is clipped, on both sides, and where it is not."""
    rng = np.random.default_rng(1)
    logits, actions = rng.normal(size=(64, 5, 3)), rng.integers(3, size=(64, 5))
    logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    free = (rng.random((64, 5)) < 0.7).astype(float)
    now = (np.take_along_axis(logs, actions[..., None], axis=2)[..., 0] * free).sum(axis=1)
    before, advantages = now + rng.normal(0, 0.3, 64), rng.normal(size=64)
    ratio = np.exp(now - before)
    clipped = ((ratio > 1.2) & (advantages > 0)) | ((ratio < 0.8) & (advantages < 0))
    assert 10 < clipped.sum() < 40 and ((ratio > 1.2) & (advantages < 0)).any()
    _, slope = policy_slope(logits, actions, free, before, advantages)
    wanted = differences(lambda: policy_slope(logits, actions, free, before, advantages)[0], logits)
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-8)


def test_adam_descends():
    rng = np.random.default_rng(2)
    net, x = Perceptron((2, 16, 1), rng), rng.uniform(-1, 1, (256, 2))
    target = x[:, :1] * x[:, 1:]
    first = float(((net(x) - target) ** 2).mean())
    for _ in range(2000):
        net.step(net.gradients(x, 2 * (net(x) - target) / len(x)))
    assert ((net(x) - target) ** 2).mean() < 0.05 * first


def test_the_cost_model_orders_what_it_has_not_seen():
    rng = np.random.default_rng(3)
    features = rng.uniform(size=(400, 6))
    scores = 1 / (1 + 3 * (features[:, 0] - 0.3) ** 2 + features[:, 1] * features[:, 2])
    model = Boosted()
    assert not model(features[:5]).any(), "it knows nothing yet"
    model.fit(features[:300], scores[:300])
    found = model(features[300:])
    assert np.corrcoef(np.argsort(np.argsort(found)), np.argsort(np.argsort(scores[300:])))[0, 1] > 0.9
    assert model.queries == 105
