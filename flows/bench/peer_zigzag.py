"""Run by an interpreter that has ZigZag: a job of ``peer_tools.Tool.ask`` on stdin, cycles of each layer as JSON on stdout.

Each layer is a workload of its own, mapped by ZigZag's own search (LOMA, with the defaults of its API) for the least latency.
"""

import contextlib
import json
import logging
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_BOTH = ["D1", "D2"]  # output channels, and what is reduced


def _port(name, kind, bits, *allocation):
    return {"name": name, "type": kind, "bandwidth_min": bits, "bandwidth_max": bits, "allocation": list(allocation)}


def _memory(size_bits, operands, served, ports, **options):
    """Without energy and area: latency is what is asked for."""
    return {"size": size_bits, "r_cost": 0.0, "w_cost": 0.0, "area": 0.0, "latency": 1, "operands": operands, "ports": ports,
            "served_dimensions": served, **options}


def _accelerator(job):
    """An array with two weights in each cell, one of them in use; sums below it; one bus for reads and writes."""
    rows, cols, bus = job["rows"], job["cols"], job["bus_bits"]
    all_ways = [f"{operand}, {way}" for operand, ways in (("I1", "fh tl"), ("I2", "fh tl"), ("O", "fh tl fl th")) for way in ways.split()]
    memories = {
        "cells": _memory(16, ["I2"], [], [_port("r_port_1", "read", 8, "I2, tl"), _port("w_port_1", "write", 8, "I2, fh")],
                         force_double_buffering=True),
        "accumulators": _memory(8 * job["accumulator_bytes"], ["O"], _BOTH, [
            _port("r_port_1", "read", 32 * cols, "O, tl"), _port("w_port_1", "write", 32 * cols, "O, fl"),
            _port("r_port_2", "read", 32 * cols, "O, th"), _port("w_port_2", "write", 32 * cols, "O, fh")]),
        "weights": _memory(8 * job["weight_bytes"], ["I2"], _BOTH, [
            _port("r_port_1", "read", 8 * cols, "I2, tl"), _port("w_port_1", "write", bus, "I2, fh")]),
        "activations": _memory(8 * job["activation_bytes"], ["I1"], _BOTH, [
            _port("r_port_1", "read", 8 * rows, "I1, tl"), _port("w_port_1", "write", bus, "I1, fh")]),
        "dram": _memory(10**12, ["I1", "I2", "O"], _BOTH, [_port("rw_port_1", "read_write", bus, *all_ways)]),
    }
    return {"name": "machine", "memories": memories,
            "operational_array": {"unit_energy": 0.0, "unit_area": 0.0, "dimensions": _BOTH, "sizes": [cols, rows],
                                  "systolic_dimensions": _BOTH}}


_MAPPING = [{"name": "default", "spatial_mapping_hint": {"D1": ["K"], "D2": ["C", "FX", "FY"]},
             "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"}}]


def _workload(layer):
    """As its parser of ONNX models describes a convolution."""
    (h, w), (oh, ow), (kh, kw), (sh, sw), (dh, dw) = (layer[n] for n in ("in_size", "out_size", "window", "strides", "dilations"))
    (top, left, bottom, right), group = layer["pads"], layer["group"]
    return [{
        "id": 0, "name": "layer", "operator_type": "Conv", "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "dimension_relations": [f"ix={sw}*ox+{dw}*fx", f"iy={sh}*oy+{dh}*fy"], "loop_dims": ["B", "K", "G", "OX", "OY", "C", "FX", "FY"],
        "loop_sizes": [layer["batch"], layer["out_channels"] // group, group, ow, oh, layer["in_channels"] // group, kw, kh],
        "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8}, "operand_source": {"W": 0},
        "pr_loop_dims": ["IX", "IY"], "pr_loop_sizes": [w, h], "padding": [[left, right], [top, bottom]],
    }]


def main():
    job = json.load(sys.stdin)
    try:
        from zigzag.api import get_hardware_performance_zigzag
    except ImportError as error:
        sys.exit(f"MISSING {error}")
    logging.disable(logging.CRITICAL)
    began, cycles, problems = time.process_time(), [], []
    with tempfile.TemporaryDirectory(prefix="peer-zigzag-") as folder, contextlib.redirect_stdout(sys.stderr):
        def written(name, content):
            """A path: JSON is YAML too."""
            path = Path(folder) / f"{name}.yaml"
            path.write_text(json.dumps(content), encoding="utf-8")
            return str(path)

        accelerator, mapping = written("accelerator", _accelerator(job)), written("mapping", _MAPPING)
        for layer in job["layers"]:
            try:
                _, latency, _ = get_hardware_performance_zigzag(written("workload", _workload(layer)), accelerator, mapping, opt="latency",
                                                                dump_folder=folder, loma_show_progress_bar=False)
                cycles.append(round(latency))
            except Exception as error:  # of any kind: that it has no answer is an answer
                cycles.append(None)
                problems.append(f"{type(error).__name__}: {error}")
    columns = [{"cycles": cycles, "seconds": time.process_time() - began}]
    json.dump({"version": version("zigzag-dse"), "columns": columns, "problems": problems}, sys.stdout)


if __name__ == "__main__":
    main()
