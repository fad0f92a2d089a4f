"""Tunes a network: measures what a tuner proposes, and keeps every measurement in a log that can be gone on with."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tenon.compiler.errors import CompileError
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.network import Network
from tenon.compiler.tune import TUNERS, Measured, NetworkSpace, Point, make_tuner
from tenon.flows.errors import UserError
from tenon.flows.outputs import check_file
from tenon.flows.tune_measure import By, measure_by
from tenon.hw.params import SystolicParams

__all__ = ["Measurement", "Study", "Tuned", "read_mappings", "tune"]

_FORMAT = 2


@dataclass(frozen=True)
class Study:
    """What a log is about, in its first line: measurements of two logs mean the same if all of this does."""

    model: str
    covenant: str  # its fingerprint
    space: str  # its signature
    tuner: str
    seed: int
    measured: str  # by what
    start: tuple[int, ...]


@dataclass(frozen=True)
class Measurement:
    """A line of a log. ``cycles`` is None where the point cannot be lowered, for that ``reason``; ``layers``: how many of them each layer
    ended later than those before it; ``seconds`` since the beginning, by the processor, what the tuner took to think included."""

    point: Point
    cycles: int | None
    layers: tuple[int, ...]
    reason: str
    seconds: float

    @property
    def measured(self) -> Measured | None:
        return None if self.cycles is None else Measured(self.cycles, self.layers)


@dataclass(frozen=True)
class Tuned:
    """The best mapping that was found, beside what it began with: ``own``, if that is what the compiler chooses by itself."""

    study: Study
    space: NetworkSpace
    measurements: tuple[Measurement, ...]
    mapping: NetworkMapping
    cycles: int
    start_cycles: int
    own: bool = True


def tune(network: Network, model: str, *, tuner: str = "gaussian", budget: int = 256, seed: int = 1, by: By = By.MODEL,
         params: SystolicParams | None = None, start: NetworkMapping | None = None, log: Path | None = None, resume: bool = False,
         progress: Callable[[str], None] = lambda _: None) -> Tuned:
    """Measures at most ``budget`` points of ``network``'s space, of which ``start`` is the first.

    Parameters
    ----------
    start : NetworkMapping, optional
        The compiler's own choice if not given.
    by, params :
        What measures, and the hardware, for RTL.
    log : Path, optional
        Where each measurement becomes a line as soon as it is made.
    resume : bool
        Goes on where ``log`` ends: with the same seed it comes to the same as if it had never been interrupted.
    progress : callable
        Told in a line how far it is.

    Raises
    ------
    UserError
        If the log is there already, or is of another study; or if a library is missing.
    CompileError
        If the first point is not in the space, or cannot be lowered.
    """
    _require(tuner)
    space = NetworkSpace(network)
    first = space.start() if start is None else space.point(start)
    study = Study(model, network.covenant.fingerprint, space.signature, tuner, seed, by.value, first)
    known = _read(log, study) if log is not None and resume and log.exists() else []
    if log is not None:
        check_file(log)
        if log.exists() and not resume:
            raise UserError(f"{log}: exists; go on with it by --resume, or name another file")
    made = {m.point: m for m in known}
    measure, proposals = measure_by(by, space, params), make_tuner(tuner, space, first, seed)
    measurements: list[Measurement] = []
    before, began = known[-1].seconds if known else 0.0, time.process_time()
    clock = time.monotonic()
    with _appending(log, study, known) as write:
        while len(measurements) < budget:
            points = proposals.ask()[:budget - len(measurements)]
            if not points:
                break
            new = measure([p for p in points if p not in made])
            for point in points:
                if point not in made:
                    found, seconds = next(new), round(before + time.process_time() - began, 3)
                    made[point] = (Measurement(point, None, (), found, seconds) if isinstance(found, str)
                                   else Measurement(point, found.cycles, found.layers, "", seconds))
                    write(made[point])
                measurements.append(made[point])
                progress(_line(measurements, budget, len(known), time.monotonic() - clock))
            proposals.tell(points, [made[p].measured for p in points])
    start_cycles = measurements[0].cycles  # every tuner begins there
    if start_cycles is None:
        raise CompileError(f"{model}: {measurements[0].reason}")
    best = min((m for m in measurements if m.cycles is not None), key=lambda m: m.cycles)
    return Tuned(study, space, tuple(measurements), space.mapping(best.point), best.cycles, start_cycles, start is None)


def read_mappings(path: Path | None) -> NetworkMapping | None:
    """The mappings that ``tenon tune`` wrote; None without a path.

    Raises
    ------
    UserError
        If the file cannot be read, or holds no mappings.
    """
    if path is None:
        return None
    try:
        return NetworkMapping.from_json(_text(path))
    except CompileError as error:
        raise UserError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _require(tuner: str) -> None:
    for library in TUNERS[tuner].needs:
        try:
            __import__(library)
        except ImportError:
            raise UserError(f"the tuner {tuner} needs {library}, which is missing: pip install 'tenon-hw[tune]'") from None


def _line(measurements: list[Measurement], budget: int, known: int, seconds: float) -> str:
    done, cycles = len(measurements), [m.cycles for m in measurements if m.cycles is not None]
    line = f"measured {done} of {budget}"
    if cycles:
        line += f", best {min(cycles):,} cycles ({100 * (min(cycles) / cycles[0] - 1):+.1f} %)"
    if done > known:
        line += f", {math.ceil(seconds / (done - known) * (budget - done))} s left"
    return line


class _appending:
    """A log that grows line by line; each is on disk before the next measurement begins. Without a path nothing is written."""

    def __init__(self, path: Path | None, study: Study, known: list[Measurement]):
        self.path, self.study, self.known = path, study, known

    def __enter__(self) -> Callable[[Measurement], None]:
        if self.path is None:
            return lambda _: None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.known:
                whole = self.path.read_bytes()
                os.truncate(self.path, whole.rindex(b"\n") + 1)  # without what was being written when it was interrupted
            self.stream = self.path.open("a" if self.known else "w", encoding="utf-8")
            if not self.known:
                self._say({"tenon tuning": _FORMAT, **asdict(self.study)})
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}") from None
        return self._write

    def __exit__(self, *_) -> None:
        if self.path is not None:
            self.stream.close()

    def _write(self, measurement: Measurement) -> None:
        try:
            self._say(asdict(measurement))
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}; what is in it is whole, and --resume goes on") from None

    def _say(self, entry: dict) -> None:
        self.stream.write(json.dumps(entry) + "\n")
        self.stream.flush()


def _read(path: Path, study: Study) -> list[Measurement]:
    """The measurements of a log of the same study; a last line that was cut off does not count."""
    lines = _text(path).split("\n")
    if not any(lines):
        return []
    try:
        head = json.loads(lines[0])
        version = head.pop("tenon tuning")
        if version != _FORMAT:
            raise UserError(f"{path}: was written by another version of tenon")
        theirs = Study(**{**head, "start": tuple(head["start"])})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{path}: is no log of tenon tune") from None
    for name, of in (("model", "model"), ("covenant", "hardware"), ("space", "space of mappings, which has changed since"),
                     ("tuner", "tuner"), ("seed", "seed"), ("measured", "kind of measurement"), ("start", "first mapping")):
        if getattr(theirs, name) != getattr(study, name):
            raise UserError(f"{path}: is of another {of}: {getattr(theirs, name)}, not {getattr(study, name)}")
    found = []
    for number, line in enumerate(lines[1:], 2):
        try:
            entry = json.loads(line)
            found.append(Measurement(**{**entry, "point": tuple(entry["point"]), "layers": tuple(entry["layers"])}))
        except (ValueError, TypeError, KeyError):
            if number >= len(lines):  # what was being written when it was interrupted, or nothing
                break
            raise UserError(f"{path}: line {number} is no measurement") from None
    return found
