"""Reads quantised ONNX models into kernel graphs; quantises float ones first, if there are calibration data."""

from compiler.frontend.model import load_model
from compiler.frontend.quantize import quantize
from compiler.frontend.reader import read_graph, read_parts
from compiler.frontend.split import Split

__all__ = ["Split", "load_model", "quantize", "read_graph", "read_parts"]
