"""A policy that walks through the space, learned by proximal policy optimisation (Schulman et al. 2017; ReLeASE's agent)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from tenon.compiler.tune.perceptron import Perceptron
from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["Policy", "policy_slope"]

_EPISODES, _STEPS = 256, 8
_DISCOUNT, _TRACE = 0.9, 0.99  # gamma and lambda
_EPOCHS, _BATCH, _CLIP, _ENTROPY = 3, 32, 0.2, 0.1
_MOVES = np.array([-1, 0, 1])


def policy_slope(logits: np.ndarray, actions: np.ndarray, free: np.ndarray, before: np.ndarray,
                 advantages: np.ndarray) -> tuple[float, np.ndarray]:
    """The clipped objective's loss, less its share of entropy, and its gradient at ``logits`` (batch, knobs, 3).

    ``actions`` (batch, knobs), of which those count whose knobs were ``free``; ``before``: the logarithm of their joint probability
    when they were taken (batch).
    """
    count = len(logits)
    logs = _log_softmax(logits) * free[..., None]
    shares = np.exp(logs) * free[..., None]
    taken = np.eye(3)[actions] * free[..., None]
    ratio = np.exp((logs * taken).sum(axis=(1, 2)) - before)
    clipped = np.clip(ratio, 1 - _CLIP, 1 + _CLIP)
    gains, bounded = ratio * advantages, clipped * advantages
    entropy = -(shares * logs).sum(axis=2, keepdims=True)
    loss = -np.minimum(gains, bounded).mean() - _ENTROPY * entropy.sum() / free.sum()
    pull = np.where(gains <= bounded, gains, 0)[:, None, None]  # the gain's derivative by the joint logarithm
    slope = -pull * (taken - shares) / count
    slope += _ENTROPY * shares * (logs + entropy) / free.sum()
    return float(loss), slope


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=2, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))


class Policy:
    """Agents that move knobs down, not at all or up, and are paid the predicted score of every point that they come to.

    Of a whole network most moves do harm together: each agent has the knobs of one layer, or of two that follow each other, for a short
    walk from one of the best points. Its state is where every knob stands between its first and last option, and which are its own.
    """

    def __init__(self, space: NetworkSpace, rng: np.random.Generator):
        self.space, self.rng = space, rng
        knobs = len(space.knobs)
        self.actor = Perceptron((2 * knobs, 20, 20, 3 * knobs), rng)
        self.critic = Perceptron((2 * knobs, 20, 20, 20, 1), rng)

    def propose(self, predict: Callable[[Sequence[Point]], np.ndarray], best: Sequence[Point], seen, count: int) -> list[Point]:
        """The ``count`` points with the best predictions that fit and that the agents came by, the best first, without those in
        ``seen``. The agents learn on the way."""
        with threadpool_limits(1):  # matrices are small
            return self._proposed(predict, best, seen, count)

    def _proposed(self, predict: Callable[[Sequence[Point]], np.ndarray], best: Sequence[Point], seen, count: int) -> list[Point]:
        rng, top = self.rng, np.array(self.space.sizes) - 1
        at = np.array([best[i % len(best)] for i in range(_EPISODES)])
        free = np.zeros(at.shape)
        for row in free:
            for part in self.space.near(rng):
                row[part] = 1
        steps: list[tuple] = []
        visited: dict[Point, float] = {}
        for _ in range(_STEPS):
            state = np.hstack([at / top, free])
            logs = _log_softmax(self.actor(state).reshape(len(at), -1, 3))
            drawn = (np.exp(logs).cumsum(axis=2) < rng.random((*at.shape, 1))).sum(axis=2).clip(0, 2)
            moved = (at + _MOVES[drawn] * free.astype(int)).clip(0, top)
            points = [tuple(row) for row in moved.tolist()]
            fit = np.array(self.space.fitting(points))
            scores = np.where(fit, predict(points), 0.0)
            for k in np.flatnonzero(fit):
                if points[k] not in seen:
                    visited[points[k]] = scores[k]
            taken = (np.take_along_axis(logs, drawn[..., None], axis=2)[..., 0] * free).sum(axis=1)
            steps.append((state, drawn, taken, scores))
            at = np.where(fit[:, None], moved, at)
        self._learn(free, *map(np.array, zip(*steps)))
        return sorted(visited, key=visited.get, reverse=True)[:count]

    def _learn(self, free, states, actions, logs, rewards) -> None:
        """From whole episodes, (steps, episodes, ...): advantages by their traces, then batches of several episodes."""
        values = self.critic(states.reshape(-1, states.shape[-1])).reshape(rewards.shape)
        following = np.vstack([values[1:], values[-1:] * 0])
        surprise = rewards + _DISCOUNT * following - values
        advantages = np.zeros_like(rewards)
        trace = np.zeros(rewards.shape[1])
        for t in reversed(range(len(rewards))):
            advantages[t] = trace = surprise[t] + _DISCOUNT * _TRACE * trace
        targets = advantages + values
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        order = [(t, episode) for t in range(len(rewards)) for episode in range(rewards.shape[1])]
        for _ in range(_EPOCHS):
            self.rng.shuffle(order)
            for first in range(0, len(order), _BATCH):
                t, episode = np.array(order[first:first + _BATCH]).T
                state, own = states[t, episode], free[episode]
                logits = self.actor(state).reshape(len(t), -1, 3)
                _, slope = policy_slope(logits, actions[t, episode], own, logs[t, episode], advantages[t, episode])
                self.actor.step(self.actor.gradients(state, slope.reshape(len(t), -1)))
                error = self.critic(state)[:, 0] - targets[t, episode]
                self.critic.step(self.critic.gradients(state, 2 * error[:, None] / len(t)))
