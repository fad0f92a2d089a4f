"""Tenon as a backend of ``onnx.backend.test.BackendTest``.

``BackendTest(TenonBackend).include("qlinear").test_suite`` runs ONNX's own comparison. It is one of floats with a small
tolerance, so it is for quantised cases; float ones differ by the steps that ``docs/conformance.md`` lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from tenon.compiler.errors import CompileError
from tenon.flows.conformance.cases import Case
from tenon.flows.conformance.element_types import foreign_type
from tenon.flows.conformance.trial import outputs_of
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset

__all__ = ["TenonBackend"]


class TenonBackend(Backend):
    """Compiles for ``params`` once the inputs are known, since ONNX gives weights and scales as inputs too."""

    params: SystolicParams = preset("edge8")

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs) -> _Prepared:
        super().prepare(model, device, **kwargs)
        return _Prepared(model, cls.params)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device == "CPU"  # where the simulator runs


class _Prepared(BackendRep):
    def __init__(self, model: onnx.ModelProto, params: SystolicParams):
        self._model, self._params = model, params

    def run(self, inputs: Sequence[np.ndarray], **kwargs) -> tuple[np.ndarray, ...]:
        """The model's outputs. Raises unittest.SkipTest where Tenon refuses the model, as ONNX's runner wants it."""
        from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

        constants = {i.name for i in self._model.graph.initializer}
        feeds = dict(zip((i.name for i in self._model.graph.input if i.name not in constants), inputs, strict=True))
        case = Case("model", "node", "", self._model, feeds, {o.name: None for o in self._model.graph.output})
        if (reason := foreign_type(case)) is not None:
            raise BackendIsNotSupposedToImplementIt(reason)
        try:
            return tuple(outputs_of(case, self._params).values())
        except CompileError as error:
            raise BackendIsNotSupposedToImplementIt(str(error)) from None
