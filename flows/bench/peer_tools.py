"""Other people's estimators of cycles: asked in processes of interpreters that have them, since they are no dependencies of ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenon.flows.bench.kept import kept
from tenon.flows.bench.peer_layers import PeerLayer
from tenon.flows.errors import UserError
from tenon.hw.params import SystolicParams

__all__ = ["PEERS", "Answer", "Peer", "Tool"]

_MISSING = "MISSING "  # how a driver says that its tool cannot be imported
_PARAMETERS = ("rows", "cols", "bus_bits", "activation_bytes", "weight_bytes", "accumulator_bytes")


@dataclass(frozen=True)
class Peer:
    """A tool. ``driver`` reads a job and prints an answer with as many ``columns``; ``given``: what it is told, for the page."""

    name: str
    option: str
    install: str
    driver: Path
    columns: tuple[str, ...]
    given: str


@dataclass(frozen=True)
class Answer:
    """Of a point: cycles of each layer by column, None where there are none, and CPU seconds by column, of all layers once."""

    cycles: tuple[dict[PeerLayer, int | None], ...]
    seconds: tuple[float, ...]
    problems: tuple[str, ...]


PEERS = (
    Peer("SCALE-Sim", "--scale-sim", "pip install scalesim==3.0.0 numpy==2.3.5", Path(__file__).with_name("peer_scale_sim.py"),
         ("without stalls", "with stalls"), """\
Dataflow `ws` on an array of rows x cols; its three memories, each in two halves, hold as many activations, weights and sums as ours; words
of 8 bits; of the bandwidth of DRAM as many words in a cycle as our bus has bytes, for each of the three memories, since it has no bus that
they share. A layer's input comes with its padding; a grouped convolution is as many as it has groups, one after the other. *Without
stalls*: lines of its demand matrices, for which memories and bandwidth count for nothing. *With stalls*: its "Total Cycles (incl.
prefetch)", of simulated memories, if that ends within {limit:g} s of CPU for all layers of a point. DRAM answers after a cycle (traces of
Ramulator, which it can use, would say more). Weights are loaded when the array is empty; ours are loaded behind those in use."""),
    Peer("ZigZag", "--zigzag", "pip install zigzag-dse==3.9.1 six", Path(__file__).with_name("peer_zigzag.py"), ("latency",), """\
A described machine: cols x rows multipliers, both dimensions systolic; two weights of 8 bits in each, one of them in use; activations
and weights in memories of our sizes, which read a word of the array (8 x rows, 8 x cols bits) and are written a word of the bus in a cycle;
sums of 32 bits in accumulators of our size, read and written a row (32 x cols bits) in a cycle; DRAM with one port of the bus's width for
everything. Output channels lie along cols; along rows its own search puts input channels, or a side of the window. Mappings are searched
for with the defaults of its API (LOMA, `lpf_limit` 6, uneven, 3 spatial mappings), for the least latency; each layer is a workload of its
own. DRAM is bandwidth alone, without latency; results go from accumulators to DRAM in 8 bits, with no vector unit on the way."""),
)


@dataclass(frozen=True)
class Tool:
    """A peer that an interpreter has, of this version."""

    peer: Peer
    python: Path
    version: str

    @property
    def title(self) -> str:
        return f"{self.peer.name} {self.version}"

    @classmethod
    def found(cls, peer: Peer, python: Path) -> Tool:
        """Asks for its version.

        Raises
        ------
        UserError
            If the interpreter does not have it.
        """
        nothing = {**dict.fromkeys(_PARAMETERS, 8192), "limit_seconds": 1, "layers": []}
        return cls(peer, python, _run(peer, python, nothing)["version"])

    def ask(self, params: SystolicParams, layers: Sequence[PeerLayer], limit_seconds: float) -> Answer:
        """What it says of ``layers`` on a machine like ``params``; kept.

        Raises
        ------
        UserError
            If it ends with an error.
        """
        job = {name: getattr(params, name) for name in _PARAMETERS}
        job |= {"limit_seconds": limit_seconds, "layers": [layer.fields() for layer in layers]}
        recipe = json.dumps([self.title, job])
        found = kept(f"peer-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}", _run, self.peer, self.python, job)
        return Answer(tuple(dict(zip(layers, c["cycles"])) for c in found["columns"]), tuple(c["seconds"] for c in found["columns"]),
                      tuple(found["problems"]))


def _run(peer: Peer, python: Path, job: dict) -> dict:
    """Isolated: neither our packages nor the files beside the driver are in its way."""
    done = subprocess.run([str(python), "-I", str(peer.driver)], input=json.dumps(job), capture_output=True, text=True, check=False)
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    if done.returncode and last.startswith(_MISSING):
        raise UserError(f"{peer.option} {python}: {last.removeprefix(_MISSING)}; {peer.install}")
    if done.returncode:
        raise UserError(f"{peer.option} {python}: ends with status {done.returncode}: {last}")
    return json.loads(done.stdout)
