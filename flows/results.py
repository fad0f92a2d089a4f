"""A model's outputs, out of the tensors that a program left in DRAM, and the file that keeps them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tenon.flows.compile import Compiled
from tenon.flows.execution import Tensors
from tenon.flows.host_parts import enter, leave
from tenon.flows.outputs import new_file
from tenon.flows.source import Feeds

__all__ = ["outputs_of", "save_outputs"]


def outputs_of(compiled: Compiled, feeds: Sequence[Feeds], runs: Sequence[Tensors]) -> list[dict[str, np.ndarray]]:
    """The model's outputs of each of ``runs``, whose inputs were ``feeds``, in its shapes and types."""
    return leave(compiled.parts, compiled.program, enter(compiled.parts, feeds), runs, [o.name for o in compiled.model.graph.output])


def save_outputs(path: Path, results: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Writes outputs as an ``.npz`` file; those of more than one run as arrays with the runs in their first dimension."""
    arrays = results[0] if len(results) == 1 else {name: np.stack([r[name] for r in results]) for name in results[0]}
    # Not numpy.savez(file, **arrays): an output may be called "file".
    with new_file(path) as work, zipfile.ZipFile(work, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
