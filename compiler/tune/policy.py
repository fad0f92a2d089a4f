"""A policy that walks through the space, learned by proximal policy optimisation (Schulman et al. 2017; ReLeASE's agent)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tenon.compiler.tune.perceptron import Perceptron
from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["Policy", "policy_slope"]

_EPISODES, _LEAST_STEPS, _MOST_STEPS, _SETTLED = 64, 32, 128, 0.75
_DISCOUNT, _TRACE = 0.9, 0.99  # gamma and lambda
_EPOCHS, _BATCH, _CLIP, _ENTROPY = 3, 32, 0.2, 0.1
_MOVES = np.array([-1, 0, 1])


def policy_slope(logits: np.ndarray, actions: np.ndarray, before: np.ndarray, advantages: np.ndarray) -> tuple[float, np.ndarray]:
    """The clipped objective's loss, less its share of entropy, and its gradient at ``logits`` (batch, knobs, 3).

    ``actions`` (batch, knobs), ``before``: the logarithm of their joint probability when they were taken (batch).
    """
    count = len(logits)
    logs = _log_softmax(logits)
    shares = np.exp(logs)
    taken = np.eye(3)[actions]
    ratio = np.exp((logs * taken).sum(axis=(1, 2)) - before)
    clipped = np.clip(ratio, 1 - _CLIP, 1 + _CLIP)
    gains, bounded = ratio * advantages, clipped * advantages
    entropy = -(shares * logs).sum(axis=2, keepdims=True)
    loss = -np.minimum(gains, bounded).mean() - _ENTROPY * entropy.mean()
    pull = np.where(gains <= bounded, gains, 0)[:, None, None]  # the gain's derivative by the joint logarithm
    slope = -pull * (taken - shares) / count
    slope += _ENTROPY * shares * (logs + entropy) / entropy.size
    return float(loss), slope


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=2, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))


class Policy:
    """Agents that move each knob down, not at all or up, and are paid the predicted score of every point that they come to.

    Their state is where each knob stands between its first and last option. Knobs with one option are not in a space: an episode ends
    when most knobs have settled, and those would have from the beginning.
    """

    def __init__(self, space: NetworkSpace, rng: np.random.Generator):
        self.space, self.rng = space, rng
        knobs = len(space.knobs)
        self.actor = Perceptron((knobs, 20, 20, 3 * knobs), rng)
        self.critic = Perceptron((knobs, 20, 20, 20, 1), rng)

    def propose(self, predict: Callable[[Sequence[Point]], np.ndarray], best: Sequence[Point], seen) -> list[Point]:
        """Every point that fits and that the agents came by, but those in ``seen``; they learn on the way."""
        rng, top = self.rng, np.array(self.space.sizes) - 1
        starts = [best[i % len(best)] for i in range(_EPISODES)]
        at = np.array([self.space.mutated(point, rng) for point in starts])
        states, actions, logs, rewards, alive = [], [], [], [], []
        living = np.ones(_EPISODES, bool)
        visited: dict[Point, None] = {}
        for step in range(_MOST_STEPS):
            state = at / np.maximum(top, 1)
            shares = _log_softmax(self.actor(state).reshape(len(at), -1, 3))
            drawn = (np.exp(shares).cumsum(axis=2) < rng.random((*shares.shape[:2], 1))).sum(axis=2).clip(0, 2)
            moved = (at + _MOVES[drawn]).clip(0, top)
            still = (moved == at).mean(axis=1)
            points = [tuple(row) for row in moved.tolist()]
            fit = np.array([self.space.fits(point) for point in points])
            scores = np.where(fit, predict(points), 0.0)
            for k in np.flatnonzero(living & fit):
                if points[k] not in seen:
                    visited[points[k]] = None
            states.append(state)
            actions.append(drawn)
            logs.append(np.take_along_axis(shares, drawn[..., None], axis=2).sum(axis=(1, 2)))
            rewards.append(scores)
            alive.append(living.copy())
            at = np.where(living[:, None], moved, at)
            if step + 1 >= _LEAST_STEPS:
                living &= still < _SETTLED
                if not living.any():
                    break
        self._learn(*map(np.array, (states, actions, logs, rewards, alive)))
        return list(visited)

    def _learn(self, states, actions, logs, rewards, alive) -> None:
        """From whole episodes, (steps, episodes, ...): advantages by their traces, then some batches of each."""
        values = self.critic(states.reshape(-1, states.shape[-1])).reshape(rewards.shape)
        advantages = np.zeros_like(rewards)
        trace = np.zeros(rewards.shape[1])
        for t in reversed(range(len(rewards))):
            following = values[t + 1] * alive[t + 1] if t + 1 < len(rewards) else 0.0
            surprise = rewards[t] + _DISCOUNT * following - values[t]
            trace = (surprise + _DISCOUNT * _TRACE * trace * (alive[t + 1] if t + 1 < len(rewards) else 0)) * alive[t]
            advantages[t] = trace
        targets = advantages + values
        known = advantages[alive]
        advantages = (advantages - known.mean()) / (known.std() + 1e-8)
        for episode in range(rewards.shape[1]):
            steps = np.flatnonzero(alive[:, episode])
            for _ in range(_EPOCHS):
                batch = self.rng.choice(steps, min(_BATCH, len(steps)), replace=False)
                state = states[batch, episode]
                logits = self.actor(state).reshape(len(batch), -1, 3)
                _, slope = policy_slope(logits, actions[batch, episode], logs[batch, episode], advantages[batch, episode])
                self.actor.step(self.actor.gradients(state, slope.reshape(len(batch), -1)))
                error = self.critic(state)[:, 0] - targets[batch, episode]
                self.critic.step(self.critic.gradients(state, 2 * error[:, None] / len(batch)))
