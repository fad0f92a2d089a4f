"""The page of operators: what the frontend says of each, and what compiling an example of it shows."""

from __future__ import annotations

import inspect
from functools import cache

from tenon.acg.graph import Graph as Covenant
from tenon.compiler.errors import CompileError
from tenon.compiler.frontend.reader import HANDLERS
from tenon.flows.compile import Compiled, compile_source, placements
from tenon.flows.pages.examples import example, operators
from tenon.flows.source import Source
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset

__all__ = ["CONFIG", "compiled_example", "operators_page"]

CONFIG = "edge16"


@cache
def _covenant() -> Covenant:
    return covenant(preset(CONFIG))


def compiled_example(operator: str) -> Compiled:
    """The smallest model with ``operator``, compiled for ``CONFIG``."""
    return compile_source(Source(operator, example(operator)[0]), _covenant())


def _row(operator: str) -> str:
    compiled = compiled_example(operator)
    place = next(p for p in placements(compiled) if p.op == operator)
    kernel = next((k for k in compiled.graph.kernels if place.node in k.nodes), None)
    if kernel is None:
        arithmetic, kind, where = "none", "exact", place.why
    else:
        arithmetic = inspect.getdoc(type(kernel)).split("\n\n")[0].replace("\n", " ")
        kind, where = "exact" if kernel.exact else "one step", place.where
    says = inspect.getdoc(HANDLERS[operator]).replace("\n", " ")
    return "| " + " | ".join(text.replace("|", "\\|") for text in (operator, says, arithmetic, kind, where)) + " |"


def operators_page() -> str:
    """The page in Markdown.

    Raises
    ------
    CompileError
        If an operator has no example, or the example does not compile.
    """
    rows = []
    for operator in operators():
        try:
            rows.append(_row(operator))
        except KeyError:
            raise CompileError(f"operator {operator} has no example in flows/pages/examples.py") from None
    return "\n".join([
        "# Operators", "",
        "Written by `python -m tenon.flows.pages`; do not edit. A model that contains anything else is refused, with every node and the "
        "reason. Arithmetic is that of `docs/numerics.md`, where *exact* means equal to the reference bit for bit, and *one step* that "
        "the reference computes in float and differs by one step at most. Arithmetic, class and engine are those of the smallest "
        f"uint8 model with the operator, compiled for `{CONFIG}`; `tenon compile` prints them for every node of yours.", "",
        "| operator | supported | arithmetic | class | runs on |", "|---|---|---|---|---|", *rows, "",
    ])
