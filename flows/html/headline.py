"""The head of the page: what ran where, and the figures that matter most."""

from __future__ import annotations

from tenon.flows.html.document import card
from tenon.flows.html.markup import Markup, count, element, join, percent
from tenon.flows.html.record import EnergyRow, RunRecord

__all__ = ["headline"]


def headline(run: RunRecord) -> Markup:
    """Title, and a card for each figure."""
    title = element("h1", run.model)
    where = f"on {run.config}, simulator {run.simulator}, {run.runs:,} run{'s'[:run.runs != 1]}; tenon {run.tenon}"
    cards = [
        card("cycles", count(run.cycles), "of the first run" if run.runs > 1 else "from start to interrupt") if run.cycles is not None
        else card("cycles", "–", f"{run.simulator} computes values, not cycles"),
        card("utilisation", percent(run.utilization), f"of {run.peak_macs_per_cycle:,} MACs per cycle; {run.macs:,} MACs"),
        _comparison(run), _traffic(run),
    ]
    if run.time is not None:
        us, mhz, source = run.time
        cards.insert(1, card("time", f"{us:,.1f} us", f"at {mhz:g} MHz: {source}"))
    if run.energy is not None:
        cards.append(_energy(run.energy))
    if run.accuracy is not None:
        images, network, reference = run.accuracy
        cards.append(card("accuracy", percent(network / images if images else None),
                           f"of {images:,} test images; reference {percent(reference / images if images else None)}"))
    return join([title, element("p", where, class_="soft"), element("div", *cards, class_="cards")])


def _energy(energy: EnergyRow) -> Markup:
    notes = [f"logic {energy.logic_uj:,.1f} ± {energy.error_uj:,.1f} uJ in cells of 180 nm, {energy.clock_pins_uj:,.1f} of it clock pins; "
             f"memories {energy.memories_uj:,.1f} uJ, assumed"]
    if energy.pj_per_mac is not None:
        notes.append(f"{energy.pj_per_mac:,.1f} pJ a MAC")
    if energy.mean_mw is not None:
        notes.append(f"{energy.mean_mw:,.1f} mW")
    return card("energy of a run", f"{energy.uj:,.1f} uJ", "; ".join(notes))


def _comparison(run: RunRecord) -> Markup:
    if run.classes is None:
        return card("comparison", "none", f"{run.simulator} computes no values to compare")
    exact, step, after = (run.classes[kind] for kind in ("exact", "step", "after"))
    kinds = ((exact, "exact by construction"), (step, "within one step"), (after, "computed from those"))
    notes = [f"{elements:,} elements {what}: {differ:,} differ" + (f", by {most:,} at most" if differ else "")
             for (elements, differ, most), what in kinds if elements]
    # As flows.comparison.Comparison.passed has it.
    passed = exact[1] == 0 and step[2] <= 1 and not run.undefined
    equal = not (exact[1] or step[1] or after[1])
    verdict = ("equal" if equal else "within one step") if passed else "NOT EQUAL"
    if run.undefined:
        notes.append(f"{run.undefined:,} are not what the kernels' definition makes of the inputs")
    return card(f"compared with {run.reference or 'the reference'}", verdict, "; ".join(notes) or "nothing was compared",
                 "good" if passed else "bad")


def _traffic(run: RunRecord) -> Markup:
    if run.dram_read_bytes is None or run.dram_write_bytes is None:
        asked = [layer.traffic_bytes for layer in run.layers]
        note = f"the layers' instructions ask for {sum(asked):,}" if asked and None not in asked else "not counted"
        return card("DRAM bytes", "–", note)
    return card("DRAM bytes", count(run.dram_read_bytes + run.dram_write_bytes),
                 f"{run.dram_read_bytes:,} read, {run.dram_write_bytes:,} written")
