"""ONNX in, program out: frontend, kernel graph, mapping, scheduling and emission, against a covenant alone."""
