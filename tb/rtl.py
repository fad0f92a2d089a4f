"""Runs programs on the emitted RTL, in a simulated system with the standard DRAM."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tenon.hw.accelerator import engine_classes
from tenon.hw.params import SystolicParams
from tenon.hw.register_map import RegisterMap
from tenon.hw.registers import COUNTERS, ENGINES, ErrorCode, registers
from tenon.tb import runner
from tenon.tb.observation import observer, read_observation
from tenon.tb.timeline import Timeline
from tenon.tb.waves import Waves

__all__ = ["DRAM_LIMITS", "Burst", "Dram", "Mark", "Outcome", "Run", "Stop", "Stuck", "SystemResult", "build_system",
           "repeated_modules", "run_rtl", "write_image"]

_SOURCES = ("dram.sv", "axi_rules.sv", "system.sv")
_OBSERVATION = "observation.txt"
_SHARED = 64  # instances from which on a module's code is to be compiled once at any price
_NO_LIMIT = (1 << 64) - 1  # bytes of a segment


class Stuck(runner.SimulationError):
    """A run reached its cycle limit; the message says what each engine waits for."""


@dataclass(frozen=True)
class Dram:
    """Settings of the DRAM model (``tb/dram.sv``); the defaults are the standard DRAM."""

    latency: int = 40  # cycles
    beats: int = 1  # bandwidth: so many beats ...
    cycles: int = 1  # ... in so many cycles
    jitter: int = 0  # more cycles of latency at most, random per burst
    stall: int = 0  # percent of cycles in which a channel stalls
    seed: int = 1

    def plusargs(self) -> list[str]:
        return [f"+dram_{name}={getattr(self, name)}" for name in self.__dataclass_fields__]


#: What each setting may be; a stall of every cycle would be for ever.
DRAM_LIMITS = {"latency": (1, 10_000), "beats": (1, 1_000), "cycles": (1, 1_000), "jitter": (0, 10_000), "stall": (0, 95),
               "seed": (0, 2**31 - 1)}


@dataclass(frozen=True)
class Run:
    """One start of the accelerator: byte addresses, counted from where the DRAM lies."""

    program: int
    length: int  # instructions
    segments: tuple[int, ...]  # bases of constants, arena, inputs, outputs
    cycle_limit: int = 50_000_000
    may_stick: bool = False  # reaching the limit is an outcome, after which the accelerator is reset
    reads: tuple[int, ...] = ()  # registers to read after it, by their offsets
    counters: bool = True  # read them after it, too; needed unless it may stick
    sizes: tuple[int, ...] = ()  # bytes of each segment; no limits if empty
    stop_after: int | None = None  # cycles after the start at which it is stopped, unless it has ended
    stop_by: str = "STOP"  # or "RESET"


@dataclass(frozen=True)
class Mark:
    """A time stamp: the counters when the instruction with this mark was done."""

    index: int
    counters: dict[str, int]

    @property
    def cycle(self) -> int:
        """Cycles since the start command."""
        return self.counters["CYCLES"]


@dataclass(frozen=True)
class Burst:
    """One request on the bus."""

    write: bool
    address: int
    beats: int


@dataclass(frozen=True)
class Stop:
    """Cycles since the start of a run that was stopped."""

    written: int  # that took the command
    requested: int  # in which the last request was first on the bus
    answered: int  # the last in which something was owed on the bus


@dataclass(frozen=True)
class Outcome:
    """What one run did."""

    cycles: int  # from the start command to the interrupt
    error: ErrorCode
    index: int  # instructions dispatched
    counters: dict[str, int]
    marks: tuple[Mark, ...]
    wall_seconds: float
    stuck: bool = False  # the cycle limit ended it
    reads: tuple[int, ...] = ()  # values of the registers asked for
    bursts: tuple[Burst, ...] = ()  # in order of their requests, if asked for
    stop: Stop | None = None  # if it was stopped


@dataclass(frozen=True)
class SystemResult:
    """What a simulation did: its runs, and the regions of DRAM asked for, after the last of them; a timeline of the
    first run if it was observed."""

    runs: tuple[Outcome, ...]
    regions: tuple[bytes, ...]
    timeline: Timeline | None = None

    @property
    def cycles(self) -> int:
        return sum(run.cycles for run in self.runs)

    @property
    def wall_seconds(self) -> float:
        return sum(run.wall_seconds for run in self.runs)

    @property
    def cycles_per_second(self) -> float:
        return self.cycles / self.wall_seconds


def build_system(verilog: str, params: SystolicParams, *, simulator: str = "verilator", dram_bytes: int = 1 << 26,
                 waves: str = "", observe: bool = False) -> runner.Build:
    """Builds the system around the text of module ``tenon``; ``dram_bytes`` is a power of two. ``observe``: with what
    writes a timeline; ``waves``: able to record signals, as "vcd" or "fst"."""
    folder = Path(__file__).parent
    sources = [*_SOURCES, *(["observer.sv"] if observe else []), *(["waves.sv"] if waves else [])]
    texts = {name: (folder / name).read_text() for name in sources}
    if observe:
        texts["observation.sv"] = observer(params)
    defines = [name for name, wanted in (("TENON_OBSERVE", observe), ("TENON_WAVES", waves),
                                       ("TENON_ZERO_MEMORIES", simulator == "icarus")) if wanted]
    attributes = params.axi_prot << 8 | params.axi_cache << 4 | params.axi_qos
    parameters = {"DATA_BITS": params.bus_bits, "ADDRESS_BITS": params.address_bits, "ATTRIBUTES": f"12'd{attributes}",
                  "COUNTERS": len(COUNTERS), "DRAM_BYTES": dram_bytes}
    return runner.build({"tenon.v": verilog, **texts}, "tenon_system", simulator=simulator, parameters=parameters,
                        exposed=runner.ports_of(texts["system.sv"], "tenon_system"),
                        no_inline=repeated_modules(verilog), shared=repeated_modules(verilog, _SHARED), defines=defines, timing=True,
                        waves=waves)


def run_rtl(verilog: str, params: SystolicParams, runs: Sequence[Run], *, image: Sequence[tuple[int, bytes]],
            regions: Sequence[tuple[int, int]] = (), dram: Dram | None = None, simulator: str = "verilator",
            waves: Waves | None = None, observe: Sequence[str] | None = None,
            progress: Callable[[int, int], None] | None = None, folder: Path | None = None,
            bursts: bool = False) -> SystemResult:
    """Simulates ``runs`` one after the other, in one simulation, in RTL.

    Parameters
    ----------
    verilog : str
        Text of module ``tenon`` and of all its parts.
    image : sequence of (address, bytes)
        What DRAM holds at the start; the rest is zero (unknown in Icarus). Addresses are multiples of the bus
        width; a last bus word is filled up with zeros.
    regions : sequence of (address, size)
        What to return of DRAM after the last run; addresses as above.
    waves : Waves, optional
        Record signals.
    observe : sequence of str, optional
        Engine of each instruction of the first run's program: gives its timeline.
    progress : callable, optional
        Told (number of the run, cycles so far), about twice a second.
    folder : Path, optional
        Where to keep the simulation's files; they are temporary if not given.
    bursts : bool
        Whether the outcomes list every burst.

    Raises
    ------
    Stuck
        A run reached its cycle limit.
    tb.runner.SimulationError
        The accelerator broke a rule of the bus, or the simulation failed.
    ValueError
        An address is not a multiple of the bus width.
    """
    for address, _ in (*image, *regions):
        if address % params.bus_bytes:
            raise ValueError(f"address must be a multiple of the bus width, {params.bus_bytes}, not {address:#x}")
    end = max((address + (size if isinstance(size, int) else len(size)) for address, size in (*image, *regions)),
              default=0)
    least = 1 << (26 if simulator == "verilator" else 18)
    built = build_system(verilog, params, simulator=simulator, waves=waves.format if waves else "",
                         observe=observe is not None, dram_bytes=max(least, 1 << max(0, end - 1).bit_length()))
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenon-rtl-")))
        write_image(folder, image, params.bus_bytes)
        (folder / "dump.txt").write_text("".join(f"{a} {n} region{i}.bin\n" for i, (a, n) in enumerate(regions)))
        _write_job(folder, runs, params)
        if progress is not None:
            stack.enter_context(_reporting(folder / "progress.txt", progress))
        plusargs = ["+dram_image=image.txt", "+dram_dump=dump.txt", "+marks=marks.txt", *["+bursts=bursts.txt"] * bursts,
                    *(dram or Dram()).plusargs()]
        plusargs += [*(waves.plusargs() if waves else []), *([f"+observe={_OBSERVATION}"] if observe is not None else [])]
        log = runner.simulate(built, "tenon.tb.system_bench", plusargs=plusargs, folder=folder,
                              env={"TENON_JOB": str((folder / "job.json").resolve())})
        if waves is not None:  # also of a run that is stuck: then they are wanted most
            waves.keep(folder)
        result = _collect(folder, runs, regions, params, log)
        if observe is None:
            return result
        timeline = read_observation(folder / _OBSERVATION, list(engine_classes(params)), observe, result.runs[0].cycles)
        return replace(result, timeline=timeline)


def repeated_modules(verilog: str, least: int = 4) -> list[str]:
    """Modules with ``least`` instances or more, of the same parameters: compiled once, called by each instance."""
    names = re.findall(r"^module\s+(\w+)", verilog, re.M)
    uses = Counter(re.findall(r"^\s+(\w+)\s+(?:#\s*\(([^;]*?)\)\s*)?\\?[\w.\[\]]+\s*\(\s*\.", verilog, re.M))
    many = {name for (name, _), count in uses.items() if count >= least}
    return [name for name in names if name in many]


def write_image(folder: Path, image: Sequence[tuple[int, bytes]], bus_bytes: int) -> None:
    """Writes ``image.txt`` and its files, for the DRAM's ``+dram_image``."""
    lines = []
    for i, (address, contents) in enumerate(image):
        contents = bytes(contents)
        contents += bytes(-len(contents) % bus_bytes)
        if contents:
            (folder / f"image{i}.bin").write_bytes(contents)
            lines.append(f"{address} {len(contents)} image{i}.bin\n")
    (folder / "image.txt").write_text("".join(lines))


def _write_job(folder: Path, runs: Sequence[Run], params: SystolicParams) -> None:
    regs = registers(params)
    origin = _origin(params)
    control = regs["CONTROL"]
    start = control.field("START").mask | control.field("IRQ_ENABLE").mask
    job = []
    for run in runs:
        writes = [*_address(regs, "PROGRAM", origin + run.program), [regs.offset("PROGRAM_LENGTH"), run.length]]
        for i, base in enumerate(run.segments):
            size = run.sizes[i] if run.sizes else _NO_LIMIT
            writes += _address(regs, "SEGMENT", origin + base, i) + _address(regs, "SEGMENT_BYTES", size, i)
        stop = None if run.stop_after is None else [run.stop_after, control.offset, control.field(run.stop_by).mask]
        status = [regs.offset("STATUS"), regs["STATUS"].field("BUSY").mask]
        job.append({"writes": writes, "start": [control.offset, start], "cycle_limit": run.cycle_limit, "may_stick": run.may_stick,
                    "stop": stop, "poll": status if run.stop_by == "RESET" else None,
                    "clear": [control.offset, control.field("CLEAR").mask],
                    "reads": [offset for _, offset in _read_back(params, run)] + list(run.reads)})
    paths = {name: str((folder / f"{name}.txt").resolve()) for name in ("result", "progress")}
    (folder / "job.json").write_text(json.dumps({"runs": job, **paths}))


def _origin(params: SystolicParams) -> int:
    """Where the DRAM lies: all addresses of runs, images, regions and bursts count from there."""
    return (1 << params.address_bits) - (1 << 32)


def _address(regs: RegisterMap, name: str, value: int, index: int = 0) -> list[list[int]]:
    """Writes of both halves of an address."""
    return [[regs.offset(name, index), value & 0xFFFF_FFFF], [regs.offset(f"{name}_HIGH", index), value >> 32]]


def _read_back(params: SystolicParams, run: Run) -> list[tuple[str, int]]:
    """(name, offset) of every register read after a run."""
    regs = registers(params)
    status = [("STATUS", regs.offset("STATUS"))]
    if not run.counters:
        return status
    return [*status, *((name, regs.offset("COUNTER", i)) for i, name in enumerate(COUNTERS)),
            *((f"WAITING.{engine}", regs.offset("WAITING", i)) for i, engine in enumerate(ENGINES))]


def _collect(folder: Path, runs: Sequence[Run], regions: Sequence[tuple[int, int]], params: SystolicParams, log: str) -> SystemResult:
    result = json.loads((folder / "result.txt").read_text())
    if result["violations"]:
        broken = "\n".join([line for line in log.splitlines() if " axi: " in line][:5])
        raise runner.SimulationError(f"the accelerator broke rules of the bus {result['violations']} times:\n{broken}")
    status = registers(params)["STATUS"]
    outcomes = []
    marks, bursts = _marks(folder / "marks.txt"), _bursts(folder / "bursts.txt", params)
    for number, run in enumerate(result["runs"]):
        names = [name for name, _ in _read_back(params, runs[number])]
        values = dict(zip(names, run["values"], strict=False))
        if not run["interrupt"] and not runs[number].may_stick:
            raise Stuck(_diagnosis(number, run["cycles"], values, params))
        fields = {f.name: (values["STATUS"] & f.mask) >> f.shift for f in status.fields}
        outcomes.append(Outcome(run["cycles"], ErrorCode(fields["ERROR"]), fields["INDEX"],
                                {name: values[name] for name in COUNTERS if name in values},
                                tuple(marks.get(number, ())), run["wall_seconds"], not run["interrupt"],
                                tuple(run["values"][len(names):]), tuple(bursts.get(number, ())),
                                Stop(**run["stop"]) if run["stop"] else None))
    contents = [(folder / f"region{i}.bin").read_bytes()[:size] for i, (_, size) in enumerate(regions)]
    return SystemResult(tuple(outcomes), tuple(contents))


def _marks(path: Path) -> dict[int, list[Mark]]:
    """Time stamps of each run."""
    found: dict[int, list[Mark]] = {}
    for line in path.read_text().splitlines():
        run, index, packed = line.split()
        words = int(packed, 16)
        found.setdefault(int(run), []).append(Mark(int(index), {name: words >> 32 * i & 0xFFFF_FFFF for i, name in enumerate(COUNTERS)}))
    return found


def _bursts(path: Path, params: SystolicParams) -> dict[int, list[Burst]]:
    """Bursts of each run; none if they were not asked for."""
    found: dict[int, list[Burst]] = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        run, way, address, beats = line.split()
        found.setdefault(int(run), []).append(Burst(way == "W", (int(address) - _origin(params)) % (1 << params.address_bits), int(beats)))
    return found


def _diagnosis(number: int, cycles: int, values: dict[str, int], params: SystolicParams) -> str:
    """What a run that reached its cycle limit waits for, engine by engine."""
    regs = registers(params)
    dispatched = (values["STATUS"] & regs["STATUS"].field("INDEX").mask) >> regs["STATUS"].field("INDEX").shift
    lines = [f"run {number} did not end within {cycles} cycles; {dispatched} instructions were dispatched"]
    for engine in ENGINES:
        fields = {f.name: (values[f"WAITING.{engine}"] & f.mask) >> f.shift for f in regs["WAITING"].fields}
        tokens = [str(i) for i in range(fields["TOKENS"].bit_length()) if fields["TOKENS"] >> i & 1]
        states = [text for name, text in (("ENGINE_BUSY", "has an instruction in flight"),
                                          ("STALL_BANK", "waits for a memory bank"),
                                          ("STALL_BUS", "waits for the bus")) if fields[name]]
        if fields["HEAD"]:
            states.append(f"its next instruction waits for token{'s'[:len(tokens) > 1]} {', '.join(tokens)}"
                          if tokens else "its next instruction is ready")
        lines.append(f"  {engine}: {'; '.join(states) or 'has nothing to do'}")
    return "\n".join(lines)


@contextlib.contextmanager
def _reporting(path: Path, progress: Callable[[int, int], None]) -> Iterator[None]:
    """Reports the bench's progress file while the simulation runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            with contextlib.suppress(OSError, ValueError):
                number, cycles = path.read_text().split()
                progress(int(number), int(cycles))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
