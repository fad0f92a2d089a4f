# amaranth: UnusedElaboratable=no
"""The generated pages are current, and every operator has an example that runs right."""

from pathlib import Path

import pytest

from tenon.flows.pages.__main__ import PAGES
from tenon.flows.pages.examples import EXAMPLES, example, operators
from tenon.hw.presets import preset
from tenon.tb.random_layers import Case
from tenon.tb.random_runs import against_reference, prepare_case

_DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_current(name):
    assert (_DOCS / name).read_text() == PAGES[name](), "run python -m tenon.flows.pages"


def test_every_operator_has_an_example():
    assert set(EXAMPLES) == set(operators())


@pytest.mark.parametrize("operator", EXAMPLES)
def test_examples_equal_the_reference(operator):
    seen = against_reference(prepare_case(Case(operator, *example(operator)), preset("tiny")))
    assert seen["exact"] + seen["step"] > 0
    assert (seen["exact_mismatches"], seen["max_difference"] > 1) == (0, False)
