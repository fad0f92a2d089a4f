"""Tables for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tenon.compiler.program import Program
from tenon.compiler.traffic import traffic_of
from tenon.flows.compile import Placement
from tenon.flows.doctor import Check
from tenon.flows.energy import Energy
from tenon.flows.hardware.area import Area
from tenon.flows.hardware.timing import Timing
from tenon.flows.quantize import Drift, Right
from tenon.flows.report import Report
from tenon.flows.schedule import Ordered
from tenon.flows.tune import Tuned
from tenon.flows.zoo.listing import Entry
from tenon.tb.covenant.claim import Claim

__all__ = ["print_area", "print_checks", "print_claims", "print_orders", "print_placements", "print_quantised",
           "print_report", "print_timing", "print_traffic", "print_tuned", "print_zoo"]


_WIDE = 110  # columns of a terminal that has room for stalls


def new_console() -> Console:
    # A file or a pipe gets whole lines: nobody wants a table cut at 80 columns there.
    # Names are a model's own, brackets and all.
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def print_quantised(measured: Right | list[Drift], samples: int) -> None:
    """What a quantised model lost, on the samples that it was calibrated with."""
    console = new_console()
    if isinstance(measured, Right):
        before, after = (f"{n:,} of {samples:,} ({_percent(n / samples)})" for n in (measured.before, measured.after))
        console.print(f"right answers on the calibration samples: {before} before, {after} after")
        return
    console.print(f"float and quantised outputs on {samples:,} calibration samples", soft_wrap=True)
    table = Table()
    table.add_column("output", overflow="fold")
    for name in ("largest error", "relative RMS error"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in measured:
        table.add_row(line.output, f"{line.max_abs:.4g}", _percent(line.relative_rms))
    console.print(table)


def print_report(report: Report) -> None:
    """The table of a run's layers, then its totals and the comparison."""
    console = new_console()
    title = f"{report.model} on {report.config}, {report.simulator}"
    table = Table(title=title, title_justify="left")
    causes = ("token", "bank", "bus", "empty") if console.width >= _WIDE else ()  # a narrow terminal gets whole numbers, and fewer
    for name in ("layer", "operator", "engine"):
        table.add_column(name, overflow="fold")
    for name in ("cycles", "MACs", "utilisation", "bound", *causes):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in report.layers:
        stalls = [_number(layer.stalls[c]) if layer.stalls else "-" for c in causes]
        table.add_row(layer.name, layer.op, layer.engine, _number(layer.cycles), _number(layer.macs),
                      _percent(layer.utilization(report.peak_macs_per_cycle)), _number(layer.bound_cycles), *stalls)
    table.add_section()
    table.add_row("total", "", "", _number(report.cycles), _number(report.macs), _percent(report.utilization),
                  _number(sum(layer.bound_cycles for layer in report.layers)), *("" for _ in causes))
    console.print(table)
    if report.cycles is not None:
        console.print(f"{report.cycles:,} cycles, {_percent(report.utilization)} of {report.peak_macs_per_cycle} MACs per cycle; "
                      f"DRAM {_number(report.dram_read_bytes)} bytes read, {_number(report.dram_write_bytes)} written")
    if report.time_us is not None:
        console.print(f"{report.time_us:,.1f} us at {report.clock.mhz:g} MHz ({report.clock.source})", soft_wrap=True)
    if report.power is not None:
        _print_power(console, report)
    if report.energy is not None:
        _print_energy(console, report.energy)
    untimed = sum(layer.cycles is None for layer in report.layers) if report.cycles is not None else 0
    if untimed:
        console.print(f"{untimed:,} layers have no time of their own: there are more of them than time stamps; a configuration with "
                      f"markers = {1 << len(report.layers).bit_length()} has enough", soft_wrap=True)
    if report.cycles_per_second is not None and report.simulator != "model":
        console.print(f"{report.runs} run{'s'[:report.runs != 1]}, {report.total_cycles:,} cycles in {report.wall_seconds:.1f} s: "
                      f"{report.cycles_per_second:,.0f} cycles/s")
    if report.accuracy:
        a = report.accuracy
        console.print(f"accuracy on {a.images} test images: {_percent(a.network / a.images)}; "
                      f"of the reference: {_percent(a.reference / a.images)}")
    _print_comparison(console, report)


def _print_power(console: Console, report: Report) -> None:
    """Energy of the first run by part."""
    power = report.power
    table = Table(title="energy of the first run", title_justify="left")
    table.add_column("part")
    for name in ("uJ", "share", "toggles", "of these glitches", "clock pins", "of the part", "where nothing changed"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in power.parts:
        table.add_row(part.part, f"{part.uj:,.3f}", _percent(part.uj / power.uj), f"{part.toggles_uj:,.3f}",
                      _percent(part.glitches_uj / part.toggles_uj if part.toggles_uj else None), f"{part.clock_pins_uj:,.3f}",
                      _percent(part.clock_pins_uj / part.uj if part.uj else None),
                      _percent(part.idle_clock_pins_uj / part.clock_pins_uj if part.clock_pins_uj else None))
    table.add_row("memories", f"{power.memories_uj:,.3f}", _percent(power.memories_uj / power.uj), *5 * ("",))
    for memory in power.memories:
        if memory.uj >= 0.01 * power.uj:
            table.add_row(f"  {memory.memory}", f"{memory.uj:,.3f}", _percent(memory.uj / power.uj), *5 * ("",))
    table.add_section()
    table.add_row("total", f"{power.uj:,.3f}", _percent(1.0), "", "", f"{power.clock_pins_uj:,.3f}",
                  _percent(power.clock_pins_uj / power.logic_uj), "")
    console.print(table)
    at = f", {power.mean_mw(report.clock):,.1f} mW at {report.clock.mhz:g} MHz" if report.clock else ""
    per_mac = f"{power.pj_per_mac:,.1f} pJ for each MAC" if power.pj_per_mac is not None else "no MACs"
    console.print(f"{power.uj:,.3f} uJ a run{at}, {per_mac}; "
                  f"from {power.sampled_cycles:,} of {power.cycles:,} cycles, standard error of the logic {power.error_uj:,.3f} uJ",
                  soft_wrap=True)
    for condition in power.conditions:
        console.print(f"  {condition}", soft_wrap=True)


def _print_energy(console: Console, energy: Energy) -> None:
    """What a run is counted to do, and what that takes."""
    table = Table(title=f"energy of a run ({energy.label})", title_justify="left")
    table.add_column("what")
    for name in ("count", "of", "pJ each", "uJ", "share"):
        table.add_column(name, justify="left" if name == "of" else "right", no_wrap=True)
    for row in energy.rows:
        if row.count:
            total = row.total_pj
            priced = ("-", "-", "-") if total is None else (
                f"{row.pj:.4g}", f"{1e-6 * total:,.3f}", _percent(total / energy.pj if energy.pj else None))
            table.add_row(row.what, _number(row.count), f"{row.unit}s", *priced)
    table.add_section()
    table.add_row("total", "", "", "", f"{energy.uj:,.3f}", _percent(1.0))
    console.print(table)
    per_mac = f"{energy.pj_per_mac:,.2f} pJ for each MAC of the network" if energy.pj_per_mac is not None else "no MACs"
    console.print(f"{energy.uj:,.3f} uJ a run, {per_mac} ({energy.label}); counted, not measured: \"-\" is in no sum", soft_wrap=True)


def _print_comparison(console: Console, report: Report) -> None:
    c = report.comparison
    if c is None:
        return
    from tenon.flows.comparison import REFERENCE

    total = c.total
    verdict = "all equal" if not total.mismatches else f"{total.mismatches:,} differ, by {total.max_abs_diff} at most"
    console.print(f"{total.elements:,} elements compared with {REFERENCE}: {verdict}")
    for tally, what in ((c.exact, "exact by construction"), (c.step, "of operators that the reference computes in float: one step"),
                        (c.after, "computed from those")):
        if tally.elements and total.elements != c.exact.elements:
            console.print(f"  {tally.elements:,} {what}: {tally.mismatches:,} differ, by {tally.max_abs_diff} at most")
    if c.undefined:
        console.print(f"  {c.undefined:,} of these are not what the kernels' definition makes of the inputs")
    if c.first_difference:
        console.print(f"NOT EQUAL: {c.first_difference}")


def print_placements(placements: list[Placement]) -> None:
    """Where each node of a model runs."""
    table = Table()
    for name in ("node", "operator", "runs on", "why not on the array"):
        table.add_column(name)
    for p in placements:
        table.add_row(p.node, p.op, p.where, p.why)
    new_console().print(table)


def print_area(area: Area) -> None:
    """What each module takes, and all together."""
    console = new_console()
    table = Table(title=f"{area.config} on {area.technology}: one instance of each module, without those in it", title_justify="left")
    first = next(iter(area.total.counts))
    for name in ("module", "instances", *area.total.counts, f"all of it, {first}"):
        table.add_column(name, justify="left" if name == "module" else "right", overflow="fold")
    for m in (*area.modules, area.total):
        if m is area.total:
            table.add_section()
        share = m.instances * m.counts[first] / area.total.counts[first] if area.total.counts[first] else None
        table.add_row(m.module, _number(m.instances), *(_number(round(n)) for n in m.counts.values()), _percent(share))
    console.print(table)
    console.print(area.conditions, soft_wrap=True)


def print_timing(timing: Timing, *, steps: bool = False) -> None:
    """Slowest paths, and each of them cell by cell if ``steps``."""
    console = new_console()
    table = Table(title=f"{timing.config} on {timing.technology}: {timing.scope}", title_justify="left")
    extra = ("of it wires",) if any(p.routing_ns is not None for p in timing.paths) else ("FO4",)
    for name in ("module", "instances", "ns", "MHz", *extra, "levels", "from", "to"):
        table.add_column(name, justify="left" if name in ("module", "from", "to") else "right", overflow="fold")
    for p in timing.paths:
        table.add_row(p.module, _number(p.instances), f"{p.ns:.2f}", f"{p.mhz:.1f}",
                      f"{p.routing_ns:.2f}" if p.routing_ns is not None else f"{p.fo4:.0f}", _number(p.levels), p.start, p.end)
    console.print(table)
    for p in timing.paths if steps else ():
        table = Table(title=f"{p.module}: {p.start} to {p.end}", title_justify="left", min_width=len(p.module + p.start + p.end) + 8)
        for name in ("cell", "net", "ns"):
            table.add_column(name, justify="right" if name == "ns" else "left", overflow="fold")
        for step in p.steps:
            table.add_row(step.cell, step.net, f"{step.ns:.2f}")
        console.print(table)
    console.print(timing.conditions, soft_wrap=True)


def print_traffic(program: Program, before: Program | None) -> None:
    """Bytes that a program moves over the bus; and ``before`` tensors stayed on chip."""
    traffic = traffic_of(program.covenant, program.instructions)
    line = f"DRAM: {traffic.read:,} bytes read, {traffic.written:,} written, {traffic.fetched:,} of instructions"
    if before is not None:
        other = traffic_of(before.covenant, before.instructions)
        line += (f"; {other.read:,}, {other.written:,} and {other.fetched:,} if every tensor went there "
                 f"({100 * (traffic.total / other.total - 1):+.1f} %)")
    new_console().print(line)


def print_tuned(tuned: Tuned) -> None:
    """What tuning found, beside what it began with."""
    failed = sum(m.cycles is None for m in tuned.measurements)
    table = Table(title=f"{tuned.study.model}: {len(tuned.space.knobs)} knobs, {tuned.space.size:.1e} points", title_justify="left")
    for name in ("", "measured", "no program", "cycles", ""):
        table.add_column(name, justify="right" if name else "left")
    table.add_row("the compiler's" if tuned.own else "as given", "1", "", _number(tuned.start_cycles), "")
    table.add_row(tuned.study.tuner, _number(len(tuned.measurements)), _number(failed), _number(tuned.cycles),
                  f"{100 * (tuned.cycles / tuned.start_cycles - 1):+.2f} %")
    new_console().print(table)


def print_orders(ordered: Ordered) -> None:
    """Peaks of a network's orders, and the best one."""
    console = new_console()
    table = Table(title=f"{ordered.problem.name}: peak of live activations", title_justify="left")
    for name in ("order", "operators", "bytes", "of file order", "proved"):
        table.add_column(name, justify="left" if name in ("order", "proved") else "right")
    count = len(ordered.problem.operators)
    rows = [("file order", count, ordered.file_peak, "")]
    rows += [(name.replace("_", " "), count, peak, "") for name, peak in ordered.heuristics.items()]
    for name, problem, found in (("optimal", ordered.problem, ordered.best),
                                 ("optimal after rewriting", ordered.rewritten, ordered.best_rewritten)):
        proof = "yes" if found.proved else f"no: at least {found.lower_bound:,}"
        rows.append((name, len(problem.operators), found.peak, proof))
    for name, operators, peak, proof in rows:
        table.add_row(name, _number(operators), _number(peak), _percent(peak / ordered.file_peak), proof)
    console.print(table)
    problem, found = ordered.chosen
    if len(found.cells) > 1:
        table = Table(title="its cells: what every order does one after the other", title_justify="left")
        for name in ("from", "to", "operators", "file order", "optimal", "of file order", "proved"):
            table.add_column(name, justify="left" if name in ("from", "to", "proved") else "right")
        for cell in found.cells:
            table.add_row(cell.first, cell.last, _number(cell.operators), _number(cell.file_peak), _number(cell.peak),
                          _percent(cell.peak / cell.file_peak), "yes" if cell.proved else "no")
        console.print(table)
    states, seconds = (getattr(ordered.best, n) + getattr(ordered.best_rewritten, n) for n in ("states", "seconds"))
    console.print(f"{states:,} states in {seconds:.2f} s; the best order: {', '.join(found.order)}", soft_wrap=True)
    spans = problem.lifetimes(found.order)
    table = Table(title=f"its arena: {ordered.arena.bytes:,} bytes (at least {ordered.arena.least:,})", title_justify="left")
    for name in ("tensor", "offset", "bytes", "first step", "last step"):
        table.add_column(name, justify="left" if name == "tensor" else "right")
    for tensor, offset in sorted(ordered.arena.offsets.items(), key=lambda item: (spans[item[0]], item[1])):
        table.add_row(tensor, *map(_number, (offset, problem.sizes[tensor], *spans[tensor])))
    console.print(table)


def print_claims(claims: Sequence[Claim]) -> None:
    """Every promise of a covenant, and what was measured; then how many hold."""
    console = new_console()
    table = Table()
    for name, most in (("promise", None), ("promised", 40), ("measured in RTL", 70), ("verdict", None)):
        table.add_column(name, max_width=most, overflow="fold")
    for c in claims:
        table.add_row(c.attribute, c.promised, c.measured, "holds" if c.holds else "BROKEN")
    console.print(table)
    broken = sum(not c.holds for c in claims)
    console.print(f"{len(claims) - broken} of {len(claims)} promises hold" + (f"; {broken} are BROKEN" if broken else ""))


def print_checks(checks: list[Check]) -> None:
    """What the doctor found."""
    table = Table()
    for name in ("tool", "state", "version", "purpose", "remedy"):
        table.add_column(name)
    for c in checks:
        table.add_row(c.name, c.state, c.version, c.purpose, c.remedy)
    new_console().print(table)


def print_zoo(entries: list[Entry]) -> None:
    """The built-in networks."""
    table = Table()
    for name in ("name", "what", "inputs"):
        table.add_column(name, overflow="fold")
    for name in ("MACs", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    for e in entries:
        table.add_row(e.name, e.what, e.inputs, _number(e.macs), _number(e.parameters))
    new_console().print(table)
