"""The page of conformance: counts, operators, cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tenon.flows.comparison import REFERENCE
from tenon.flows.conformance.verdict import Result, Verdict

__all__ = ["page", "row", "rows_of"]

_SHOWN = 150  # characters of a reason


def page(verdicts: Sequence[Verdict], presets: dict[str, str], version: str) -> str:
    """The page in Markdown. ``presets``: what each kind of case ran on; ``version``: of the package ``onnx``."""
    counts = Counter(v.result for v in verdicts)
    tally = ", ".join(f"{counts[result]} {result}" for result in Result)
    return "\n".join([
        "# Conformance", "",
        "Written by `python -m tenon.flows.conformance -o docs/conformance.md` (`make conformance`); do not edit. "
        f"The cases of `onnx.backend.test` as onnx {version} ships them, each compiled and run in functional simulation.", "",
        f"**{len(verdicts)} cases: {tally}.**", "",
        "A case that is quantised runs as it is. A float case is quantised first, with its own inputs as calibration (QDQ, uint8 "
        f"activations, int8 weights), and then compared with {REFERENCE} on the quantised model. ONNX gives scales, weights and shapes as "
        "inputs: what has one number or an integer type is a constant here, and where a case is refused otherwise, every input but the "
        "first is one; the row says which. Cases whose name ends in `_expanded` have the operator's definition in its place, and "
        "are counted with it.", "",
        "- `exact`: every compared tensor is of the exact class, and equals the reference bit for bit.",
        "- `one step`: it passed, and some tensors are of a class that the reference computes in float (`docs/numerics.md`).",
        "- `float`: nothing is left for the accelerator: the host runs all of it, or no byte changes. It did not pass.",
        "- `refused`: with the message that a user gets.",
        "- `wrong`, `crashed`: a failed comparison; a traceback, a dead process, or no end. Both are faults of Tenon's.", "",
        "*Error* is that of the outputs against what ONNX expects of the float model, in steps of the output's scale, at worst: the "
        "price of 8 bits, not of the accelerator. Where a function jumps or is steep at an input it is large.", "",
        "Hardware: " + ", ".join(f"{kind}: `{name}`" for kind, name in presets.items()) + ".", "",
        "## Operators", "",
        "| operator | cases | exact | one step | float | refused | wrong or crashed | most frequent reason |",
        "|---|---|---|---|---|---|---|---|", *_operators(verdicts), "",
        "## Reasons", "",
        "| refusals | reason |", "|---|---|", *_reasons(verdicts), "",
        "## Cases", "",
        "| case | result | error | why, or what to know |", "|---|---|---|---|", *map(row, verdicts), "",
    ])


def row(v: Verdict) -> str:
    """A case's row."""
    error = "" if v.error_steps is None else f"{v.error_steps:.1f}"
    return f"| {v.kind} {v.name} | {v.result} | {error} | {_cell(v.why)} |"


def rows_of(text: str) -> dict[tuple[str, str], str]:
    """The rows of a page's cases, by kind and name."""
    lines = text.partition("\n## Cases\n")[2].splitlines()
    return {tuple(line.split()[1:3]): line for line in lines if line.startswith("| ") and not line.startswith("| case")}


def _operators(verdicts: Sequence[Verdict]) -> Iterable[str]:
    for operator in sorted({v.operator for v in verdicts}, key=str.lower):
        of = [v for v in verdicts if v.operator == operator]
        counts = Counter(v.result for v in of)
        reasons = Counter(v.why for v in of if v.result not in (Result.EXACT, Result.ONE_STEP))
        why = reasons.most_common(1)[0][0] if reasons else ""
        yield (f"| {operator} | {len(of)} | " + " | ".join(str(counts[r]) for r in list(Result)[:4])
               + f" | {counts[Result.WRONG] + counts[Result.CRASHED]} | {_cell(why)} |")


def _reasons(verdicts: Sequence[Verdict], most: int = 40) -> list[str]:
    counts = Counter(v.why for v in verdicts if v.result is Result.REFUSED)
    return [f"| {count} | {_cell(why)} |" for why, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]]


def _cell(text: str) -> str:
    text = text if len(text) <= _SHOWN else text[:_SHOWN - 3] + "..."
    return text.replace("|", "\\|")
