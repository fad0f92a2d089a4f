"""Programs: instructions, constants and the map of DRAM, as a folder that any runner can execute."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tenon.acg.graph import Graph as Covenant
from tenon.acg.isa import instruction_text
from tenon.acg.parts import Role
from tenon.compiler.errors import CompileError
from tenon.compiler.home import Home
from tenon.compiler.image import pack
from tenon.compiler.instruction import Instruction
from tenon.compiler.ir import Tensor
from tenon.compiler.layout import Layout
from tenon.compiler.mapping import Mapping as LayerMapping
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.record import check_record

__all__ = ["LayerRecord", "Placed", "Program"]

_FORMAT = 1


@dataclass(frozen=True)
class Placed:
    """A tensor and where it lives in DRAM."""

    tensor: Tensor
    home: Home

    def read(self, segments: Mapping[str, np.ndarray]) -> np.ndarray:
        """The NHWC tensor out of the segments' bytes."""
        data = segments[self.home.segment][self.home.offset:self.home.offset + self.home.layout.bytes]
        return self.home.layout.gather(data, self.tensor.shape).view(self.tensor.dtype)

    def write(self, segments: Mapping[str, np.ndarray], array: np.ndarray) -> None:
        """Puts an NHWC tensor into the segments' bytes."""
        if array.shape != tuple(self.tensor.shape) or str(array.dtype) != self.tensor.dtype:
            raise ValueError(f"{self.tensor.name} must be {self.tensor.dtype} {self.tensor.shape}, "
                             f"not {array.dtype} {array.shape}")
        data = self.home.layout.scatter(np.ascontiguousarray(array))
        segments[self.home.segment][self.home.offset:self.home.offset + data.size] = data


@dataclass(frozen=True)
class LayerRecord:
    """What a report says of a layer. ``first``..``last`` are its instructions, ``mark`` the time stamp of its end (0:
    none), ``bound_cycles`` the larger of compute at the machine's peak and compulsory DRAM traffic."""

    name: str
    op: str
    engine: str
    nodes: tuple[str, ...]
    exact: bool
    macs: int
    first: int
    last: int
    mark: int
    bound_cycles: int
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A compiled network. ``segments`` maps each DRAM segment to its bytes; ``aliases`` a name in the model to a tensor
    of it that is stored under another name."""

    name: str
    covenant: Covenant
    instructions: tuple[Instruction, ...]
    constants: bytes
    segments: Mapping[str, int]
    tensors: Mapping[str, Placed]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[LayerRecord, ...]
    aliases: Mapping[str, tuple[str, Tensor]]
    mapping: NetworkMapping

    def image(self) -> bytes:
        """The instructions, with END."""
        return self.covenant.sequencer.encoding.image(self.instructions)

    def memory(self) -> dict[str, np.ndarray]:
        """Fresh DRAM segments with the constants in place."""
        memory = {name: np.zeros(size, np.uint8) for name, size in self.segments.items()}
        memory[self.covenant.segment(Role.CONSTANTS)][:len(self.constants)] = np.frombuffer(self.constants, np.uint8)
        return memory

    def listing(self) -> str:
        """A line for each instruction, under a heading for each layer."""
        lines, starts = [], {r.first: r for r in self.layers}
        for k, i in enumerate(self.instructions):
            if k in starts:
                lines.append(f"\n; {starts[k].name} ({starts[k].op})")
            text = instruction_text(i.mnemonic, i.fields, i.header)
            lines.append(f"{k:6d}  {text}" + (f"  ; {i.note}" if i.note else ""))
        return "\n".join(lines).lstrip("\n") + f"\n{len(self.instructions):6d}  END\n"

    def save(self, folder: Path) -> None:
        """Writes the program's folder, whole or not at all; one that is there already is replaced."""
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            (fresh / "program.bin").write_bytes(self.image())
            (fresh / "constants.bin").write_bytes(self.constants)
            (fresh / "image.bin").write_bytes(pack(self))
            (fresh / "listing.txt").write_text(self.listing(), encoding="utf-8")
            (fresh / "acg.json").write_text(self.covenant.to_json(), encoding="utf-8")
            (fresh / "program.json").write_text(json.dumps(self._record(), indent=1, default=_plain), encoding="utf-8")
            fresh.chmod(0o755)
            if folder.exists():
                if not (folder / "program.json").is_file() and any(folder.iterdir()):
                    raise CompileError(f"{folder} exists and is not a program: choose another folder")
                shutil.rmtree(folder)
            fresh.rename(folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _record(self) -> dict[str, object]:
        return {
            "program": _FORMAT, "name": self.name, "architecture": self.covenant.name,
            "fingerprint": self.covenant.fingerprint, "instructions": len(self.instructions),
            "segments": dict(self.segments), "inputs": list(self.inputs), "outputs": list(self.outputs),
            "tensors": [asdict(p.tensor) | {"segment": p.home.segment, "offset": p.home.offset, "bytes": p.home.layout.bytes,
                                            "block": p.home.block, "layout": p.home.layout.to_json()}
                        for p in self.tensors.values()],
            "aliases": {name: {"stored": stored, **asdict(t)} for name, (stored, t) in self.aliases.items()},
            "layers": [asdict(r) for r in self.layers],
            "mapping": {name: dict(m.choices) for name, m in self.mapping.layers.items()},
        }

    @classmethod
    def load(cls, folder: Path, covenant: Covenant | None = None) -> Program:
        """Reads a program's folder.

        Parameters
        ----------
        covenant :
            The hardware that is to execute it, if that is known.

        Raises
        ------
        CompileError
            If the folder holds no program, or one for other hardware.
        """
        folder = Path(folder)
        try:
            record = json.loads((folder / "program.json").read_text(encoding="utf-8"))
            image = (folder / "program.bin").read_bytes()
            constants = (folder / "constants.bin").read_bytes()
            own = Covenant.from_json((folder / "acg.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise CompileError(f"{folder} is not a program: {error.filename or error}: {error.strerror}") from None
        except ValueError as error:
            raise CompileError(f"{folder} is not a program: {error}") from None
        if not isinstance(record, dict) or not isinstance(record.get("fingerprint"), str):
            raise CompileError(f"{folder} is not a program: program.json holds no program")
        if record.get("program") != _FORMAT:
            raise CompileError(f"{folder} has format {record.get('program')!r}; this version reads {_FORMAT}")
        for name, fingerprint in ((own.name, own.fingerprint), *(((covenant.name, covenant.fingerprint),) if covenant else ())):
            if record["fingerprint"] != fingerprint:
                raise CompileError(f"{folder} was compiled for {record.get('architecture')} ({record['fingerprint'][:12]}), not for "
                                   f"{name} ({fingerprint[:12]}): compile it again")
        try:
            return cls._restored(record, own, image, constants)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise CompileError(f"{folder} is not a program: {error}") from None

    @classmethod
    def _restored(cls, record, covenant: Covenant, image: bytes, constants: bytes) -> Program:
        check_record(record, frozenset(u.name for u in covenant.units), frozenset(covenant.segment_names))
        encoding, size = covenant.sequencer.encoding, record["segments"][covenant.segment(Role.CONSTANTS)]
        if len(image) < record["instructions"] * encoding.bytes:
            raise ValueError(f"program.bin must have {record['instructions']} instructions, not {len(image) // encoding.bytes}")
        if len(constants) != size:
            raise ValueError(f"constants.bin must have {size} bytes, not {len(constants)}")
        instructions = []
        for at in range(0, record["instructions"] * encoding.bytes, encoding.bytes):
            mnemonic, fields, header = encoding.decode(image[at:at + encoding.bytes], covenant.mnemonics)
            if mnemonic is None:
                raise ValueError(f"instruction {len(instructions)} is END")
            instructions.append(Instruction(mnemonic, fields, header))
        tensors = {}
        for t in record["tensors"]:
            tensor = _tensor(t)
            layout = Layout.from_json(t["layout"], t["bytes"])
            tensors[tensor.name] = Placed(tensor, Home(t["segment"], t["offset"], layout, tensor.shape, t["block"]))
        layers = tuple(LayerRecord(**{**r, "nodes": tuple(r["nodes"]), "outputs": tuple(r["outputs"])}) for r in record["layers"])
        return cls(record["name"], covenant, tuple(instructions), constants, record["segments"], tensors,
                   tuple(record["inputs"]), tuple(record["outputs"]), layers,
                   {name: (a["stored"], _tensor(a)) for name, a in record["aliases"].items()},
                   NetworkMapping({name: LayerMapping(m) for name, m in record["mapping"].items()}))


def _plain(value):
    """numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _tensor(t: Mapping) -> Tensor:
    return Tensor(t["name"], tuple(t["shape"]), t["dtype"], t["scale"], t["zero_point"], t["onnx_name"],
                  tuple(t["onnx_shape"]), t["onnx_order"])
