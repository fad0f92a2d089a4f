"""``python -m tenon.flows.bench.area_model [-o FILE]``: fits the area model to configurations that it synthesises, and tells its error.

Synthesis takes a minute or so for each; what was done is kept, so that it goes on where it was.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from tenon.flows.area_model.fit import Terms, fit
from tenon.flows.area_model.model import AREA_NUMBER, Error, area_number, counts_of, hardware_hash
from tenon.flows.area_model.sample import KINDS, Sample, sample_of
from tenon.flows.bench.area_samples import fitted, held_out, variants
from tenon.flows.bench.kept import kept
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.flows.hardware.analysis import check_tools, design_of
from tenon.flows.hardware.area import area_of
from tenon.flows.hardware.yosys import find_yosys
from tenon.flows.outputs import new_file
from tenon.hw.emit import PREFIX
from tenon.hw.params import SystolicParams

__all__ = ["DATA", "Prediction", "errors", "leave_one_out", "measure_sample", "module_errors", "page", "predict", "record"]

DATA = Path(__file__).resolve().parents[1] / "area_model" / "data" / "ecp5.json"

_DIGITS = 9  # of a factor
_SHOWN = 0.002  # modules with less of all configurations' cells than this share are left out of the page


@dataclass(frozen=True)
class Prediction:
    """What a model says of a configuration that it may not have seen: cells by kind of module, and in all."""

    sample: Sample
    modules: dict[str, dict[str, float]]
    total: dict[str, int]


def measure_sample(params: SystolicParams, progress: Callable[[str], None]) -> Sample:
    """Synthesises a configuration.

    Raises
    ------
    UserError
        If Yosys is missing.
    """
    design = design_of(params)
    return sample_of(params, design, area_of(design, params.name, "ecp5", progress))


def predict(model: dict[str, dict[str, Terms]], sample: Sample) -> Prediction:
    modules, total = counts_of(model, sample.params)
    return Prediction(sample, {name: dict(counts) for name, (_, counts) in modules.items()}, total)


def leave_one_out(samples: Sequence[Sample], beside: Sequence[Sample] = ()) -> list[Prediction]:
    """Each by a model that was fitted without it, from the choice of features on, to the others and those ``beside``."""
    return [predict(fit([*samples[:n], *samples[n + 1:], *beside]), sample) for n, sample in enumerate(samples)]


def errors(predictions: Sequence[Prediction]) -> dict[str, Error]:
    """By kind of cells, and of the one number."""
    found = {}
    for kind in (*KINDS, "area number"):
        relative = [_relative(p, kind) for p in predictions]
        found[kind] = Error(round(statistics.mean(relative), 6), round(max(relative), 6))
    return found


def _relative(p: Prediction, kind: str) -> float:
    said, counted = (area_number(c) if kind == "area number" else c[kind] for c in (p.total, p.sample.total))
    return abs(said - counted) / counted


def module_errors(predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
    """By module and kind of cells: the sum of all errors over the sum of all that was counted."""
    found: dict[str, dict[str, float]] = {}
    for name in sorted({name for p in predictions for name in p.sample.groups}):
        found[name] = {}
        for kind in KINDS:
            pairs = [(p.modules.get(name, {}).get(kind, 0), p.sample.groups[name].counts[kind] if name in p.sample.groups else 0)
                     for p in predictions]
            counted = sum(c for _, c in pairs)
            if counted:
                found[name][kind] = round(sum(abs(said - c) for said, c in pairs) / counted, 6)
    return found


def record(model: dict[str, dict[str, Terms]], left_out: Sequence[Prediction], beside: Sequence[Sample], unseen: Sequence[Prediction],
           yosys: str) -> dict:
    """What is committed, for JSON; ``samples`` by what they were for."""
    def listed(samples: Sequence[Sample]) -> list[dict]:
        return [{"params": {name: value for name, value in sample.params.to_dict().items() if value != default[name]},
                 "counts": {kind: int(number) for kind, number in sample.total.items()}} for sample in samples]

    def rounded(terms: Terms) -> Terms:
        return {name: float(f"{factor:.{_DIGITS}g}") for name, factor in terms.items()}

    default = SystolicParams().to_dict()
    return {
        "date": date.today().isoformat(), "yosys": yosys, "hardware": hardware_hash(),
        "error": {kind: vars(e) for kind, e in errors(left_out).items()},
        "held_out_error": {kind: vars(e) for kind, e in errors(unseen).items()},
        "module_error": module_errors(left_out),
        "samples": {"left out": listed([p.sample for p in left_out]), "beside": listed(beside),
                    "held out": listed([p.sample for p in unseen])},
        "modules": {name: {what: rounded(terms) for what, terms in model[name].items()} for name in model},
    }


def page(made: dict, left_out: Sequence[Prediction], unseen: Sequence[Prediction]) -> str:
    """The page, in Markdown."""
    kinds = [f"| {kind} | {_percent(e['mean'])} | {_percent(e['worst'])} | {_worst(left_out, kind)} | "
             f"{_percent(made['held_out_error'][kind]['mean'])} | {_percent(made['held_out_error'][kind]['worst'])} |"
             for kind, e in made["error"].items()]
    rows = []
    for p, number in [*((p, "left out") for p in left_out), *((p, "held out") for p in unseen)]:
        q = p.sample.params
        kib = ", ".join(f"{size / 1024:g}" for size in (q.activation_bytes, q.weight_bytes, q.accumulator_bytes, q.vector_bytes,
                                                        q.parameter_bytes))
        cells = " | ".join(f"{p.sample.total[k]:,.0f} {100 * (p.total[k] / p.sample.total[k] - 1):+.1f} %" for k in ("LUT4", "FF", "EBR"))
        rows.append(f"| {q.name} | {number} | {q.rows} x {q.cols} | {q.lanes} | {q.bus_bits} | {kib} | {cells} |")
    modules = [row for _, row in sorted(_module_rows(made, left_out))]
    return _PAGE.format(count=len(left_out), unseen=len(unseen), beside=len(made["samples"]["beside"]), date=made["date"],
                        yosys=made["yosys"], hardware=made["hardware"], number=AREA_NUMBER, kinds="\n".join(kinds),
                        rows="\n".join(rows), modules="\n".join(modules), shown=f"{100 * _SHOWN:g} %", all=len(made["modules"]))


def _module_rows(made: dict, left_out: Sequence[Prediction]) -> Iterator[tuple[float, str]]:
    """Rows of the table of modules, and what to sort them by."""
    total = {kind: sum(p.sample.total[kind] for p in left_out) for kind in ("LUT4", "FF")}
    for name, terms in made["modules"].items():
        share = {kind: sum(p.sample.groups[name].counts[kind] for p in left_out if name in p.sample.groups) / all_of_them
                 for kind, all_of_them in total.items()}
        if max(share.values()) < _SHOWN:
            continue
        cells = " | ".join(f"{100 * share[kind]:.1f} | {100 * made['module_error'][name][kind]:.1f} | {_said(terms.get(kind, {}))}"
                           if share[kind] else "- | - | -" for kind in total)
        yield -share["LUT4"], f"| {name.removeprefix(PREFIX + '_')} | {_said(terms['instances'])} | {cells} |"


def _percent(share: float) -> str:
    return "exact" if not share else f"{100 * share:.2f} %"


def _worst(predictions: Sequence[Prediction], kind: str) -> str:
    worst = max(predictions, key=lambda p: _relative(p, kind))
    return worst.sample.params.name if _relative(worst, kind) else "-"


def _said(terms: Terms) -> str:
    """Terms as a formula."""
    said = [f"{factor:+.4g}" + ("" if name == "1" else f" ({name})") for name, factor in terms.items()]
    return " ".join(said).removeprefix("+") or "0"


_PAGE = """\
# Area without synthesis

Written by `python -m tenon.flows.bench.area_model -o docs/area-model.md`; do not edit. `flows/area_model` says from a configuration's
parameters, in about a millisecond, what `tenon generate --area ecp5` counts after a minute or more of synthesis.

Each kind of module is a number of instances, exact, times the cells of one: a constant and up to four terms of the parameters. They
were fitted to {count} configurations, and to {beside} like `tiny` with one parameter at an end of its domain, of those that exploration
leaves alone: {yosys}, {date}, hardware {hardware}. A term is taken if the leave-one-out error falls by enough. Most memories need no
fit: their shapes follow from the parameters, and their cells from the shapes by Yosys's costs of blocks of 18 kbit and of RAM in LUTs.

*Left out*: each of the {count} is predicted by a model that was fitted to the others, from the choice of terms on. *Held out*: {unseen}
random configurations that no fit has seen. Errors are of the whole configuration.

*area number*, in LUT4: {number}. A cell weighs what an LFE5U-85F has for each; a CCU2C takes two LUT4, a DPR16X4 six.

| cells | left out: mean | worst | of | held out: mean | worst |
|---|---|---|---|---|---|
{kinds}

## Modules

*instances*; of LUT4 and of flip-flops: share of all configurations' (%), leave-one-out error (sum of errors over sum of counts, %), and
what was fitted to one instance, without the memories that need no fit. Of {all} kinds of modules, those below {shown} of both are not
shown.

| module | instances | LUT4 share | error | terms | FF share | error | terms |
|---|---|---|---|---|---|---|---|
{modules}

## Configurations

What was counted, and how far the model was from it. KiB: activations, weights, accumulators, vectors, parameters.

| configuration | | array | lanes | bus | KiB | LUT4 | FF | EBR |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The page to write.")
def main(output: Path | None) -> None:
    """Synthesises configurations, fits the model, and writes its data into the tree."""
    quiet()
    with user_errors():
        check_tools("ecp5", None)
        seen, beside, unseen = ([kept(f"area-{p.name}", measure_sample, p, say) for p in drawn]
                                for drawn in (fitted(), variants(), held_out()))
        say("fitting")
        model = fit([*seen, *beside])
        left_out, predicted = leave_one_out(seen, beside), [predict(model, sample) for sample in unseen]
        made = record(model, left_out, beside, predicted, find_yosys().version)
        with new_file(DATA) as work:
            work.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        if output is not None:
            with new_file(output) as work:
                work.write_text(page(made, left_out, predicted), encoding="utf-8")
    for kind, e in errors(left_out).items():
        click.echo(f"{kind}: {_percent(e.mean)} mean, {_percent(e.worst)} worst; held out "
                   f"{_percent(made['held_out_error'][kind]['mean'])}, {_percent(made['held_out_error'][kind]['worst'])}")


if __name__ == "__main__":
    main()
