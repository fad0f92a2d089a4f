"""Reads quantised ONNX models into kernel graphs; quantises float ones first, if there are calibration data."""

from tenon.compiler.frontend.model import checked, load_model
from tenon.compiler.frontend.quantize import quantize
from tenon.compiler.frontend.reader import read_graph, read_parts
from tenon.compiler.frontend.split import Split

__all__ = ["Split", "checked", "load_model", "quantize", "read_graph", "read_parts"]
