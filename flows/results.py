"""A model's outputs, out of the tensors that a program left in DRAM, and the file that keeps them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tenon.flows.compile import Compiled
from tenon.flows.execution import Tensors
from tenon.flows.host_parts import enter, leave
from tenon.flows.outputs import new_file
from tenon.flows.source import Feeds

__all__ = ["save_outputs"]


def save_outputs(path: Path, compiled: Compiled, feeds: Sequence[Feeds], runs: Sequence[Tensors]) -> None:
    """Writes the model's outputs of all ``runs``, whose inputs were ``feeds``, of its shapes and types, as an ``.npz`` file; of
    more than one, arrays with the runs in their first dimension."""
    names = [o.name for o in compiled.model.graph.output]
    results = leave(compiled.parts, compiled.program, enter(compiled.parts, feeds), runs, names)
    arrays = results[0] if len(results) == 1 else {name: np.stack([r[name] for r in results]) for name in results[0]}
    # Not numpy.savez(file, **arrays): an output may be called "file".
    with new_file(path) as work, zipfile.ZipFile(work, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
