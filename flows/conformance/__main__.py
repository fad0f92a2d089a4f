"""``python -m tenon.flows.conformance``: runs every case and writes the page."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import onnx

from tenon.flows.conformance.cases import KINDS, load_cases
from tenon.flows.conformance.page import page
from tenon.flows.conformance.verdict import Result
from tenon.flows.conformance.workers import verdicts
from tenon.flows.errors import user_errors
from tenon.flows.outputs import new_file
from tenon.hw.presets import preset

#: What each kind runs on: one operator fits anything, whole networks want an array.
PRESETS = {kind: "edge16" if kind == "light" else "edge8" for kind in KINDS}


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The page to write.")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, default=KINDS, help="Of these only; all if not given.")
def main(output: Path, kinds: tuple[str, ...]) -> None:
    """Runs ONNX's conformance cases in functional simulation; exits with status 1 if one is wrong or crashes."""
    with user_errors():
        found = []
        for kind in kinds:
            cases, began = load_cases((kind,)), time.monotonic()
            for verdict in verdicts(cases, preset(PRESETS[kind])):
                found.append(verdict)
                if kind == "light" or verdict.result in (Result.WRONG, Result.CRASHED):
                    click.echo(f"{verdict.name}: {verdict.result}: {verdict.why}", err=True)
            click.echo(f"{kind}: {len(cases)} cases in {time.monotonic() - began:.0f} s", err=True)
        with new_file(output) as work:
            work.write_text(page(found, {kind: PRESETS[kind] for kind in kinds}, onnx.__version__), encoding="utf-8")
        click.echo(output)
        sys.exit(any(v.result in (Result.WRONG, Result.CRASHED) for v in found))


if __name__ == "__main__":
    main()
