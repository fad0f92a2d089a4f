"""Run by an interpreter that has SCALE-Sim: a job of ``peer_tools.Tool.ask`` on stdin, cycles of each layer as JSON on stdout.

Its weight-stationary array is simulated layer by layer: cycles without stalls are the lines of its demand matrices, cycles with stalls its
"Total Cycles (incl. prefetch)". The latter only if all layers' memories are simulated within ``limit_seconds`` of CPU.
"""

import contextlib
import json
import signal
import sys
import tempfile
import time
import warnings
from importlib.metadata import version

_CONFIG = """
[general]
run_name = peers
[run_presets]
InterfaceBandwidth = USER
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {cols}
ifmapsramszkB = {activations}
filtersramszkB = {weights}
ofmapsramszkB = {results}
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = ws
Bandwidth = {words}
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = {words}
IfmapSRAMBankNum = 1
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = {words}
FilterSRAMBankNum = 1
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""


class _Late(BaseException):
    """Time is over; not for whoever catches exceptions on the way."""


def _late(*_):
    raise _Late


def _config(scale_config, job):
    """Its words are bytes. Results stay sums of 32 bits in our accumulators, and are a word of its third memory each."""
    text = _CONFIG.format(rows=job["rows"], cols=job["cols"], words=job["bus_bits"] // 8, activations=job["activation_bytes"] // 1024,
                          weights=job["weight_bytes"] // 1024, results=max(1, job["accumulator_bytes"] // 4096))
    config = scale_config()
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(text)
        file.flush()
        config.read_conf_file(file.name)
    return config


def _entry(layer):
    """Padding is part of its input, of which it is given no more than windows reach; a dilated window is as large as one that is not."""
    (kh, kw), (sh, sw) = layer["window"], layer["strides"]
    (oh, ow), group = layer["out_size"], layer["group"]
    return ["layer", (oh - 1) * sh + kh, (ow - 1) * sw + kw, kh, kw, layer["in_channels"] // group, layer["out_channels"] // group, sh, sw,
            1, 1]


def _without_stalls(layer):
    """As ``single_layer_sim.run`` begins. Of its report it is the number of the last line."""
    operands = layer.op_mat_obj
    matrices = {f"{name}_op_mat": getattr(operands, f"get_{name}_matrix")()[1] for name in ("ifmap", "filter", "ofmap")}
    layer.compute_system.set_params(config_obj=layer.config, **matrices, sparsity_ratio_N=layer.sparsity_ratio_N,
                                    sparsity_ratio_M=layer.sparsity_ratio_M, ifmap_op_mat_original=operands.ifmap_addr_matrix_original,
                                    sparsity_filter_array=operands.sparse_filter_array)
    return layer.compute_system.get_demand_matrices()[2].shape[0] - 1


def _with_stalls(layer):
    layer.run()
    return layer.get_compute_report_items()[0]


def _timed(job, simulation, count, limit, problems):
    """Cycles of all layers by ``count``, the largest first, and CPU seconds; no cycles if those come to more than ``limit``."""
    began = time.process_time()
    cycles = [None] * len(job["layers"])
    signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        for number in sorted(range(len(cycles)), key=lambda n: -job["layers"][n]["macs"]):
            layer = job["layers"][number]
            try:
                cycles[number] = count(simulation(layer)) * layer["group"] * layer["batch"]
            except Exception as error:  # of any kind: that it has no answer is an answer
                problems.append(f"{type(error).__name__}: {error}")
    except _Late:
        cycles = [None] * len(cycles)
        problems.append(f"stopped after {limit:g} s")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"cycles": cycles, "seconds": time.process_time() - began}


def main():
    job = json.load(sys.stdin)
    try:
        from scalesim.layout_utils import layouts
        from scalesim.scale_config import scale_config
        from scalesim.single_layer_sim import single_layer_sim
        from scalesim.topology_utils import topologies
    except ImportError as error:
        sys.exit(f"MISSING {error}")
    warnings.simplefilter("ignore")
    config = _config(scale_config, job)

    def simulation(layer):
        topology, found = topologies(), single_layer_sim()
        topology.load_layer_params_from_list("layer", _entry(layer))
        found.set_params(config_obj=config, topology_obj=topology, layout_obj=layouts(), verbose=False)
        return found

    problems = []
    with contextlib.redirect_stdout(sys.stderr):
        columns = [_timed(job, simulation, count, limit, problems)
                   for count, limit in ((_without_stalls, 0), (_with_stalls, job["limit_seconds"]))]
    json.dump({"version": version("scalesim"), "columns": columns, "problems": problems}, sys.stdout)


if __name__ == "__main__":
    main()
