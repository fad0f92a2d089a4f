"""What the bench says about orders and arenas, and what it counts as missed."""

from tenon.compiler.schedule.rewrite import fold_concats
from tenon.flows.bench.schedules import Ordering, Placing, Schedules, section
from tenon.flows.zoo.irregular import swiftnet
from tenon.flows.zoo.irregular.randwire import unequal


def measured(*, optimum, found):
    cell = Ordering.of("cell", fold_concats(swiftnet.problem("c")), optimum=optimum, most_seconds=2)
    return Schedules((cell,), (), (cell,) * 7, cell, (Placing(200, 1.25, found, 1.0),))


def test_goals_that_are_met_and_missed():
    good = measured(optimum=32_536, found=1.01)
    assert good.missed == []
    assert "| cell | 21 | 35,084 | 32,536 | yes |" in "\n".join(section(good))
    assert measured(optimum=32_535, found=1.051).missed == [
        "cell", "cell", "64 nodes: fewer than seven of ten proved within 60 s", "arena of 200 blocks"]


def test_what_is_not_proved_has_a_bound_and_a_gap():
    found = Ordering.of("large", unequal(64, 3), most_seconds=0.2)
    assert not found.goal and not found.proved and "% gap)" in found.row
