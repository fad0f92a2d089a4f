"""Executes packet programs: every instruction by its effect, with the latencies that the covenant says; and counts cycles."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.ops import RECIPROCAL_MAGIC, ROOT_MAGIC
from tenon.acg.packet import Base, Call, Control, End, Level, Loop, Mark, Packet, Start, Wait
from tenon.compiler.cache import cache_folder
from tenon.tb.functional import Instruction, ProgramError
from tenon.tb.packets.effect_code import effect_code, memory_numbers
from tenon.tb.transfers import transfer_of

__all__ = ["PacketRun", "PacketSimulator"]

_FOLDER = Path(__file__).parent
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-ffp-contract=off", f"-DRECIPROCAL_MAGIC={RECIPROCAL_MAGIC}u",
          f"-DROOT_MAGIC={ROOT_MAGIC}u")
_CONTROLS = (Loop, Call, Base, Level, Start, Wait, Mark, End)
_MOST_VISIBLE = 63  # packets
_SLACK = 4096  # bytes behind a memory, which a last access may touch
_FETCH_BEATS = 7  # where the loop finds how many beats of the bus a packet takes


@dataclass(frozen=True)
class PacketRun:
    """``cycles``: packets, and cycles in which they were held; ``marks``: time stamps (number, cycle) in their order."""

    cycles: int
    packets: int
    held: int
    instructions: int
    marks: tuple[tuple[int, int], ...]


class PacketSimulator:
    """Memories on chip, which keep their contents from run to run.

    Attributes
    ----------
    memories : dict of str to ndarray of uint8
        Their contents, zero at first.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.numbers = memory_numbers(graph)
        self._held = {name: np.zeros(size + _SLACK, np.uint8) for name, size in graph.memory_bytes.items()}
        self.memories = {name: self._held[name][:size] for name, size in graph.memory_bytes.items()}
        late = [m.name for m in graph.mnemonics if m.timing.cycles("visible", m.complete({})) > _MOST_VISIBLE]
        if late:
            raise ValueError(f"{late[0]}'s result comes more than {_MOST_VISIBLE} packets later")

    def run(self, program: Sequence[Packet], segments: Mapping[str, np.ndarray], *, late: bool = False, latency: int = 40,
            most_cycles: int = 1 << 40) -> PacketRun:
        """Executes ``program`` over DRAM ``segments``, which are written in place.

        ``late``: background instructions do what they do when they are waited for, not when they are started: where programs are right,
        that makes no difference. ``latency`` (cycles) is the DRAM's.

        Raises
        ------
        ProgramError
            For an instruction outside its fields, rules or segments, and for a program that takes more than ``most_cycles``.
        """
        packed = _Packed(self.graph, program, {name: array.size for name, array in segments.items()})
        held = {name: np.concatenate([array, np.zeros(_SLACK, np.uint8)]) for name, array in segments.items()}
        memories = (ctypes.c_void_p * len(self.numbers))(*(
            (self._held[name] if name in self._held else held.get(name, np.zeros(_SLACK, np.uint8))).ctypes.data for name in self.numbers))
        marks, totals = np.zeros((max(packed.marks, 1), 2), np.int64), np.zeros(8, np.int64)
        totals[_FETCH_BEATS] = max(1, self.graph.sequencer.packet_bits // 8 // self.graph.bus_bytes)
        arrays = [packed.packets, packed.operations, packed.values, packed.starts, packed.visible, packed.limits]
        at = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
        background = self.graph.sequencer.background
        depth = min((b.depth for b in background), default=1)
        wrong = _core(self.graph)(at[0], ctypes.c_int64(len(program)), at[1], at[2], at[3], at[4], memories, at[5],
                                  *(ctypes.c_int64(n) for n in (self.graph.sequencer.streams, late, latency, depth, most_cycles)),
                                  ctypes.c_void_p(marks.ctypes.data), ctypes.c_void_p(totals.ctypes.data))
        if wrong:
            raise ProgramError(max(wrong - 1, 0), "an address outside its memory" if wrong > 0 else f"more than {most_cycles} packets")
        for name, array in segments.items():
            array[:] = held[name][:array.size]
        cycles, packets, waited, instructions, marked = (int(n) for n in totals[:5])
        return PacketRun(cycles, packets, waited, instructions, tuple((int(n), int(c)) for n, c in marks[:marked]))


class _Packed:
    """A program as arrays for core.hpp."""

    def __init__(self, graph: Graph, program: Sequence[Packet], segment_bytes: Mapping[str, int]):
        self.graph, self.segment_bytes = graph, segment_bytes
        index = {m.name: k for k, m in enumerate(graph.mnemonics)}
        packets, operations, starts = [], [], []
        self._values: list[int] = []
        self._known: dict[tuple, int] = {}
        for k, packet in enumerate(program):
            first = len(operations)
            if packet.data is None:
                operations += [(index[op.mnemonic.name], self._fields(k, op.mnemonic, op.values)) for op in packet.operations]
            control = [0, 0, 0, 0, 0]
            if packet.control is not None:
                numbers = list(vars(packet.control).values())
                control = [_CONTROLS.index(type(packet.control)) + 1, *numbers, *[0] * (4 - len(numbers))]
                if isinstance(packet.control, Start):
                    data, transfer = self._started(k, program, packet.control)
                    control[2:4] = len(starts), data
                    starts.append(transfer)
                _check_control(graph, k, packet.control, len(program))
            packets.append((first, len(operations) - first, *control))
        self.marks = 1 << 12 if any(isinstance(p.control, Mark) for p in program) else 0
        self.packets, self.operations, self.starts = (np.array(rows, np.int64).reshape(-1, n) for rows, n in (
            (packets, 7), (operations, 2), (starts, 4)))
        self.values = np.array(self._values, np.int64)
        self.visible = np.array([max(1, m.timing.cycles("visible", m.complete({}))) for m in graph.mnemonics], np.int64)
        self.limits = np.array([(0, max((f.high for f in m.fields if f.kind == "address"), default=0)) for m in graph.mnemonics], np.int64)

    def _fields(self, number: int, mnemonic: Mnemonic, values: Mapping[str, object]) -> int:
        """Where an instruction's fields lie among the values."""
        key = mnemonic.name, *sorted(values.items())
        if key not in self._known:
            plain = mnemonic.complete({name: v for name, v in values.items() if mnemonic.field(name).kind != "address"})
            row = [len(mnemonic.fields)]
            for f in mnemonic.fields:
                if f.kind == "address":
                    row += [values[f.name].offset, values[f.name].stream, int(values[f.name].step)]
                else:
                    row += [int(np.float32(plain[f.name]).view(np.uint32)) if f.kind == "f32" else int(plain[f.name]), -1, 0]
            addresses = {f.name for f in mnemonic.fields if f.kind == "address"}
            broken = [b for b in mnemonic.violations(plain, self.graph.memory_bytes) if not any(name in b for name in (" a ", "bytes"))] \
                if addresses else mnemonic.violations(plain, self.graph.memory_bytes)
            if broken:
                raise ProgramError(number, "; ".join(broken))
            self._known[key] = len(self._values)
            self._values += row
        return self._known[key]

    def _started(self, number: int, program: Sequence[Packet], start: Start) -> tuple[int, tuple[int, int, int, int]]:
        """How many packets a background instruction takes; its mnemonic, fields, unit and beats."""
        background = self.graph.sequencer.background[start.unit]
        size = self.graph.sequencer.packet_bits // 8
        count = background.encoding.bytes // size
        text = b"".join((p.data or 0).to_bytes(size, "little") for p in program[number + 1:number + 1 + count])
        mnemonic, fields, header = background.encoding.decode(text, [m for m in self.graph.mnemonics if m.unit == background.unit])
        if mnemonic is None:
            raise ProgramError(number, "nothing to start")
        instruction = Instruction(mnemonic, fields, header)
        burst = max((e.burst_bytes for e in self.graph.edges), default=0) // self.graph.bus_bytes
        transfer = transfer_of(instruction, frozenset(self.graph.memory_bytes), self.graph.bus_bytes, burst)
        index = [m.name for m in self.graph.mnemonics].index(mnemonic.name)
        beats = sum(map(max, transfer.beats, transfer.cycles))
        return count, (index, self._fields(number, mnemonic, fields), start.unit, beats)


def _check_control(graph: Graph, number: int, control: Control, count: int) -> None:
    """Raises ProgramError for what the sequencer cannot do."""
    s = graph.sequencer
    wrong = None
    if isinstance(control, Loop) and not (1 <= control.count <= s.loop_count and 1 <= control.packets <= s.loop_packets):
        wrong = f"a loop of {control.packets} packets {control.count} times"
    if isinstance(control, Call) and not (control.packets <= control.back <= min(number, s.program_packets)):
        wrong = f"{control.packets} packets that begin {control.back} before"
    if isinstance(control, Base | Level) and control.stream >= s.streams or isinstance(control, Level) and control.level >= s.stream_levels:
        wrong = "no such stream"
    if isinstance(control, Loop) and number + 1 + control.packets > count:
        wrong = "a loop beyond the program's end"
    if wrong:
        raise ProgramError(number, wrong)


@functools.lru_cache(maxsize=16)
def _library(text: str) -> ctypes.CDLL:
    compiler = shutil.which("g++")
    if compiler is None:
        raise RuntimeError("g++ is missing, which compiles the simulation of packets: install it (Debian: g++)")
    parts = [(_FOLDER / name).read_text(encoding="utf-8") for name in ("machine.hpp", "core.hpp")]
    whole = "\n".join([parts[0], text, parts[1]])
    key = hashlib.sha256("\0".join([whole, *_FLAGS, platform.machine()]).encode()).hexdigest()[:24]
    library = cache_folder() / "packets" / f"core-{key}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as folder:
            source, built = Path(folder) / "core.cpp", Path(folder) / "core.so"
            source.write_text(whole, encoding="utf-8")
            subprocess.run([compiler, *_FLAGS, "-o", str(built), str(source)], check=True, capture_output=True, text=True)
            os.replace(built, library)
    return ctypes.CDLL(str(library))


def _core(graph: Graph):
    functions = "".join(effect_code(graph, m) for m in graph.mnemonics)
    table = "static const Effect EFFECTS[] = {" + ", ".join(f"effect_{m.name}" for m in graph.mnemonics) + "};\n"
    found = _library(functions + table).tenon_packets
    found.restype = ctypes.c_int64
    return found
