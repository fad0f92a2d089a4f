"""Reads quantised ONNX models into kernel graphs."""

from compiler.frontend.model import load_model
from compiler.frontend.reader import read_graph

__all__ = ["load_model", "read_graph"]
