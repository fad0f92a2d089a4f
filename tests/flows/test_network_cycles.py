"""Published networks keep their cycles: layer by layer against the committed page."""

from collections import Counter
from pathlib import Path

import pytest

import tenon
from tenon.flows.bench.networks import IN_RTL, modelled, read_table

_PAGE = Path(tenon.__file__).parent / "docs" / "networks.md"
_GROWTH = 0.01


def grown(before: list[tuple[str, int]], now: list[tuple[str, int]]) -> list[str]:
    """Layers that take more than 1 % longer than the page says, and those that it does not know. Parts of a layer have its name."""
    known, found = Counter(), Counter()
    for rows, counter in ((before, known), (now, found)):
        for name, cycles in rows:
            counter[name] += cycles
    return [f"{name}: {cycles:,} cycles, {known[name]:,} on the page" for name, cycles in found.items()
            if cycles > (1 + _GROWTH) * known[name]]


def test_a_layer_that_grows_is_seen():
    page = "## dscnn\n\n| layer | operator | modelled | RTL |\n|---|---|---|---|\n| a | Conv | 1,000 | 9 |\n| b | Conv | 5 | 6 |\n\n## x\n"
    table = read_table(page)
    assert table == {"dscnn": [("a", 1000), ("b", 5)]}
    assert grown(table["dscnn"], [("a", 1010), ("b", 5)]) == []
    assert grown(table["dscnn"], [("a", 1011), ("c", 1)]) == ["a: 1,011 cycles, 1,000 on the page", "c: 1 cycles, 0 on the page"]


@pytest.mark.parametrize("goal", IN_RTL, ids=lambda goal: goal.title)
def test_modelled_cycles_are_those_of_the_page(goal):
    table = read_table(_PAGE.read_text(encoding="utf-8"))[goal.title]
    layers = modelled(goal)
    assert not grown(table, [(layer.name, layer.cycles) for layer in layers]), \
        "if that is meant, run python -m tenon.flows.bench.networks -o docs/networks.md"
    assert sum(layer.cycles for layer in layers) <= (1 + _GROWTH) * sum(cycles for _, cycles in table)
