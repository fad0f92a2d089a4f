"""The cost model: boosted trees that say how a point compares with the best so far (AutoTVM's, Chen et al., NeurIPS 2018)."""

from __future__ import annotations

import numpy as np
import xgboost

__all__ = ["Boosted"]

# TVM v0.19's XGBoostCostModel, but for the objective: scores themselves are learned, not their order.
_TREES = {"max_depth": 3, "eta": 0.3, "gamma": 1e-4, "min_child_weight": 1, "subsample": 1.0, "lambda": 1.0, "alpha": 0.0,
          "objective": "reg:squarederror", "verbosity": 0, "nthread": 1}
_MOST_ROUNDS, _LOOK, _PATIENCE, _RECALL = 8000, 2, 20, 64


class Boosted:
    """Predicts the scores that it was fitted to: 1 for the best so far, 0 for what cannot be lowered.

    ``queries`` counts the points that it was asked about.
    """

    def __init__(self, seed: int = 1):
        self.seed, self.queries = seed, 0
        self._trees: xgboost.Booster | None = None

    def fit(self, features: np.ndarray, scores: np.ndarray) -> None:
        """From scratch, until the best ``_RECALL`` of the training points are no longer found better."""
        data = xgboost.DMatrix(features, label=scores)
        stop = _Recall(data, scores)
        self._trees = xgboost.train({**_TREES, "seed": self.seed}, data, num_boost_round=_MOST_ROUNDS, callbacks=[stop])

    def __call__(self, features: np.ndarray) -> np.ndarray:
        self.queries += len(features)
        if self._trees is None:
            return np.zeros(len(features))
        return self._trees.inplace_predict(features)


class _Recall(xgboost.callback.TrainingCallback):
    """Ends training some rounds after the average recall of the best points was at its best.

    The average runs over how many points are wanted: of the N best by prediction, the share that are among the N best.
    """

    def __init__(self, data: xgboost.DMatrix, scores: np.ndarray):
        super().__init__()
        self.data, self.order = data, np.argsort(-scores, kind="stable")
        self.best, self.round = -1.0, 0

    def after_iteration(self, model, epoch: int, evals_log) -> bool:
        if epoch % _LOOK:
            return False
        predicted = np.argsort(-model.predict(self.data), kind="stable")
        most = min(_RECALL, len(predicted))
        rank = np.empty(len(predicted), int)
        rank[self.order] = np.arange(len(predicted))
        hits = [np.count_nonzero(rank[predicted[:n]] < n) / n for n in range(1, most + 1)]
        recall = float(np.mean(hits))
        if recall > self.best:
            self.best, self.round = recall, epoch
        return epoch - self.round >= _PATIENCE
