"""ONNX's own conformance cases, run through the compiler and the functional simulator."""
