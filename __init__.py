"""Tenon: DNN-accelerator RTL and its compiler, from one set of parameters; ``docs/python.md`` is a walk through this module.

The names below are imported when they are used: a part of the package alone, such as ``tenon.acg``, stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenon.flows.api import Hardware, NetworkRun, Program, Quantized, compile, generate, load_config, quantize, run

__all__ = ["Hardware", "NetworkRun", "Program", "Quantized", "compile", "generate", "load_config", "quantize", "run"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'tenon' has no attribute {name!r}")
    from tenon.flows import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
