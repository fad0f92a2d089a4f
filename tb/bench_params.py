"""Hands the parameters of a build from a test to its bench, which runs in the simulator's process."""

from __future__ import annotations

import json
import os

from tenon.hw.params import SystolicParams

__all__ = ["bench_environment", "bench_params"]

_VARIABLE = "TENON_BENCH_PARAMS"


def bench_environment(params: SystolicParams) -> dict[str, str]:
    return {_VARIABLE: json.dumps(params.to_dict())}


def bench_params() -> SystolicParams:
    return SystolicParams.from_dict(json.loads(os.environ[_VARIABLE]))
