"""A program of too many instructions is refused, with the layer that takes most of them."""

import re

import pytest

from tenon.compiler import network
from tenon.compiler.compile import compile_model
from tenon.compiler.errors import CompileError
from tenon.hw.config import load_config
from tenon.tb.exported_models import exported
from tenon.tb.gateware import graph_of


@pytest.mark.parametrize("kind", ["large_mean", "float_tail"])
def test_the_longest_layer_is_named(monkeypatch, kind):
    model, _ = exported(kind, 0)
    covenant = graph_of(load_config("tiny"))
    program = compile_model(model, covenant)
    longest = max(program.layers, key=lambda layer: layer.last - layer.first)
    monkeypatch.setattr(network, "MOST_INSTRUCTIONS", len(program.instructions) - 1)
    with pytest.raises(CompileError, match=re.escape(f"layer {longest.name} (")):
        compile_model(model, covenant)
