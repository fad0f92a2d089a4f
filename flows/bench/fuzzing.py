"""``python -m tenon.flows.bench.fuzzing``: damaged and odd inputs of every kind, each of which must end in order.

In order: exit status 0, or 2 with one line that says why; 1 where results that can be compared differ. No traceback, no hang, and
nothing left behind that is not whole.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnx
from click.testing import CliRunner

from tenon.flows.bench.damage import damaged_archive, damaged_bytes, damaged_model, damaged_toml
from tenon.flows.bench.side_by_side import say
from tenon.flows.cli import main as tenon
from tenon.flows.pages.examples import EXAMPLES, example
from tenon.hw.presets import preset

__all__ = ["CASES", "Found", "fuzz"]

CASES = 2_000
_SECONDS = 30  # that a case may take
_MODELS = ("Conv", "MatMul", "Add", "MaxPool", "Concat", "Slice", "Resize", "Gemm", "QLinearConv", "Reshape", "Mul", "ReduceMean")


@dataclass(frozen=True)
class Found:
    """What the cases did: how many of each kind ended with each exit status, and what went wrong, a line for each."""

    statuses: Counter  # (kind, exit status)
    problems: tuple[str, ...]


class _Hang(BaseException):
    """A case that takes too long; nothing on its way up may swallow it."""


def fuzz(seeds: Sequence[int], progress: Callable[[str], None] = lambda _: None) -> Found:
    """Runs a case for each seed; kinds take turns."""
    statuses, problems = Counter(), []
    with tempfile.TemporaryDirectory(prefix="tenon-fuzz-") as folder:
        bench = _Bench(Path(folder))
        for number, seed in enumerate(seeds):
            if number % 500 == 0:
                progress(f"damaged inputs, {number} of {len(seeds)}")
            kind = _KINDS[seed % len(_KINDS)]
            status, problem = bench.case(kind, seed)
            statuses[kind, status] += 1
            if problem:
                problems.append(f"{kind} {seed}: {problem}")
    return Found(statuses, tuple(problems))


class _Bench:
    """Good inputs to start from, and a place for what commands write."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.models = {}
        for name in _MODELS:
            assert name in EXAMPLES
            self.models[name] = example(name)[0].SerializeToString()
        self.program = folder / "good"
        good = folder / "good.onnx"
        good.write_bytes(self.models["MatMul"])
        assert self.invoke(["compile", str(good), "--config", "tiny", "-o", str(self.program)])[0] == 0
        model = onnx.load(good)
        shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
        np.savez(folder / "good.npz", **{name: np.zeros(shape, np.float32) for name, shape in shapes.items()})

    def case(self, kind: str, seed: int) -> tuple[int, str]:
        """Exit status of one case, and what is wrong with how it ended, if anything is."""
        rng = np.random.default_rng(seed)
        place = self.folder / "case"
        place.mkdir()
        try:
            arguments = getattr(self, f"_{kind}")(rng, place)
            before = sorted(p.relative_to(place) for p in place.rglob("*"))
            status, problem = self.invoke(arguments)
            if not problem and status == 2:
                left = [p for p in sorted(q.relative_to(place) for q in place.rglob("*")) if p not in before]
                problem = f"left {left[0]} behind" if left else ""
            return status, problem
        finally:
            shutil.rmtree(place)

    def invoke(self, arguments: list[str]) -> tuple[int, str]:
        def hangs(*_):
            raise _Hang

        old = signal.signal(signal.SIGALRM, hangs)
        signal.alarm(_SECONDS)
        try:
            result = CliRunner().invoke(tenon, arguments)
        except _Hang:
            return -1, f"took more than {_SECONDS} seconds"
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, old)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            return result.exit_code, f"{type(result.exception).__name__}: {result.exception}".splitlines()[0][:200]
        lines = [line for line in result.stderr.strip().splitlines() if not line.endswith(" ...")]
        if result.exit_code == 2 and (len(lines) != 1 or not lines[0].startswith("tenon: ")):
            return 2, f"said {len(lines)} lines: {lines[:2]}"
        if result.exit_code not in (0, 1, 2):
            return result.exit_code, f"exit status {result.exit_code}"
        if result.exit_code == 1 and "NOT EQUAL" not in result.stdout:
            return 1, "exit status 1 without a difference"
        return result.exit_code, ""

    def _model_bytes(self, rng: np.random.Generator, place: Path) -> list[str]:
        """A model's file with flipped, missing or foreign bytes."""
        data = self.models[_MODELS[int(rng.integers(len(_MODELS)))]]
        (place / "m.onnx").write_bytes(damaged_bytes(rng, data))
        return ["compile", str(place / "m.onnx"), "--config", "tiny", "-o", str(place / "out")]

    def _model_parts(self, rng: np.random.Generator, place: Path) -> list[str]:
        """A well-formed model with odd attributes, shapes, types, names or operators."""
        data = self.models[_MODELS[int(rng.integers(len(_MODELS)))]]
        (place / "m.onnx").write_bytes(damaged_model(rng, onnx.load_from_string(data)).SerializeToString())
        return ["compile", str(place / "m.onnx"), "--config", "tiny", "-o", str(place / "out")]

    def _toml(self, rng: np.random.Generator, place: Path) -> list[str]:
        """A configuration with odd values, keys and bytes."""
        (place / "c.toml").write_bytes(damaged_toml(rng, preset("tiny").to_dict()))
        return ["acg", str(place / "c.toml")]

    def _program(self, rng: np.random.Generator, place: Path) -> list[str]:
        """A program folder in which one file is damaged or missing."""
        folder = place / "program"
        shutil.copytree(self.program, folder)
        names = sorted(p.name for p in folder.iterdir())
        path = folder / names[int(rng.integers(len(names)))]
        if rng.random() < 0.1:
            path.unlink()
        else:
            path.write_bytes(damaged_bytes(rng, path.read_bytes()))
        return ["run", str(folder), "--simulator", "functional"]

    def _archive(self, rng: np.random.Generator, place: Path) -> list[str]:
        """An archive of inputs that is damaged, or holds other arrays."""
        (place / "x.npz").write_bytes(damaged_archive(rng, self.folder / "good.npz"))
        return ["run", str(self.program), "--input", str(place / "x.npz"), "--simulator", "functional"]


_KINDS = ("model_bytes", "model_parts", "toml", "program", "archive")


@click.command()
@click.option("--cases", type=int, default=CASES, show_default=True)
@click.option("--first", type=int, default=0, show_default=True, help="Seed to begin with.")
def main(cases: int, first: int) -> None:
    """Feeds damaged inputs to the command line."""
    warnings.filterwarnings("ignore")
    found = fuzz(range(first, first + cases), say)
    for (kind, status), count in sorted(found.statuses.items()):
        click.echo(f"{kind}: {count} ended with exit status {status}")
    for problem in found.problems:
        click.echo(problem)
    click.echo(f"{len(found.problems)} of {cases} did not end in order")
    sys.exit(1 if found.problems else 0)


if __name__ == "__main__":
    main()
