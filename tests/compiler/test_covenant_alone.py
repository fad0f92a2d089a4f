"""The compiler's view: everything from ``acg.json``, in a process where importing the hardware fails."""

import subprocess
import sys

import onnx

from tenon.flows.zoo import layers
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset

_SCRIPT = """
import sys
from pathlib import Path

class NoHardware:
    def find_spec(self, name, path=None, target=None):
        if name.removeprefix("tenon.").split(".")[0] in ("hw", "tb", "flows", "amaranth", "cocotb"):
            raise ImportError(f"{name} is not to be imported here")

sys.meta_path.insert(0, NoHardware())
try:
    import tenon.hw
except ImportError:
    pass
else:
    raise SystemExit("hw could be imported")

from tenon.acg.graph import Graph
from tenon.compiler.compile import compile_model
from tenon.compiler.frontend import load_model

folder = Path(sys.argv[1])
program = compile_model(load_model(folder / "layer.onnx"), Graph.from_json((folder / "acg.json").read_text()))
program.save(folder / "program")
"""


def test_compiles_without_hardware(tmp_path):
    from tenon.compiler.compile import compile_model

    graph = covenant(preset("edge8"))
    model = layers.conv((3, 3), 8, 16, 10)
    (tmp_path / "acg.json").write_text(graph.to_json())
    onnx.save(model, tmp_path / "layer.onnx")
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "program" / "program.bin").read_bytes() == compile_model(model, graph).image()
