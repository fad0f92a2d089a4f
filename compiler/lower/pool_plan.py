"""The geometry of a pooling whose windows an instruction gathers: as of a depthwise convolution, without weights."""

from __future__ import annotations

from tenon.compiler.codelets import Codelet
from tenon.compiler.lower.depthwise_plan import DepthwisePlan
from tenon.compiler.lower.pooling import pool_operator, window_of

__all__ = ["PoolPlan"]


class PoolPlan(DepthwisePlan):
    """The largest elements of windows, or their sums, become results as sums of products do."""

    weighted = False
    statements = "gather", "gather"
    constant_words = 0

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return *window_of(self.kernel, self.x.shape).kernel, 1, self.x.shape[3]

    @property
    def group(self) -> int:
        return self.x.shape[3]

    @property
    def fill(self) -> int:
        lowest, _ = self.graph.tensors[self.kernel.x].bounds
        return (lowest if self.kernel.kind == "max" else self.kernel.zx) & 255

    def columns_of_window(self) -> int:
        return self.weight_shape[1]

    def operators(self) -> tuple[Codelet, Codelet, dict[str, int | float]]:
        codelet, attributes = pool_operator(self.graph, self.kernel, self.x.shape, True)
        return codelet, codelet, attributes
