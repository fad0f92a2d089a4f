"""The check suite: every attribute of a covenant, each with its check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from tenon.acg.graph import Edge, Graph, Memory, Unit
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.sequencer import QueueSequencer
from tenon.hw.params import SystolicParams
from tenon.tb.covenant.claim import Check, Claim
from tenon.tb.covenant.effects import effect_check, ordered_check
from tenon.tb.covenant.encoding import field_check, opcode_check, rules_check
from tenon.tb.covenant.lies import Lie
from tenon.tb.covenant.memories import memory_checks
from tenon.tb.covenant.sequencer import graph_checks, sequencer_checks
from tenon.tb.covenant.timing import edge_checks, peak_check, timing_checks
from tenon.tb.covenant.trial import Laboratory

__all__ = ["attributes", "check_graph", "checks", "unseen"]

#: Attributes that say which part is meant, or are informative.
_NAMES = {Memory: {"name"}, Edge: {"src", "dst"}, Unit: {"name"}, QueueSequencer: set(), Mnemonic: {"name", "unit", "fields", "timing"},
          Graph: {"name", "memories", "units", "edges", "sequencer", "mnemonics", "notes"}}


def _own(part: object) -> list[str]:
    return [f.name for f in dataclasses.fields(part) if f.name not in _NAMES[type(part)]]


def attributes(graph: Graph) -> list[str]:
    """Every measured and encoded attribute, from the schema itself: a new one is here by itself."""
    found = [f"memories.{m.name}.{a}" for m in graph.memories for a in _own(m)]
    found += [f"edges.{e.src}-{e.dst}.{a}" for e in graph.edges for a in _own(e)]
    found += [f"units.{u.name}.{a}" for u in graph.units for a in _own(u)]
    found += [f"sequencer.{a}" for a in _own(graph.sequencer)]
    for m in graph.mnemonics:
        found += [f"mnemonics.{m.name}.{a}" for a in _own(m)]
        found += [f"mnemonics.{m.name}.timing.{term}" for term, _ in m.timing.terms()]
        found += [f"mnemonics.{m.name}.fields.{f.name}" for f in m.fields]
    return [*found, *_own(graph), "fingerprint"]


def _makers(graph: Graph, params: SystolicParams) -> Iterator[tuple[str, Callable[[], Sequence[Check]]]]:
    """(prefix of the attributes, what makes their checks)."""
    for memory in graph.memories:
        yield f"memories.{memory.name}.", lambda memory=memory: list(memory_checks(graph, memory, params))
    for edge in graph.edges:
        yield f"edges.{edge.src}-{edge.dst}.", lambda edge=edge: list(edge_checks(graph, edge))
    for unit in graph.units:
        name = f"units.{unit.name}"
        yield f"{name}.ordered", lambda unit=unit, name=name: [ordered_check(graph, unit, f"{name}.ordered")]
        yield f"{name}.peak", lambda unit=unit, name=name: [peak_check(graph, unit, f"{name}.peak_macs_per_cycle")]
    yield "sequencer.", lambda: list(sequencer_checks(graph, params))
    for m in graph.mnemonics:
        name = f"mnemonics.{m.name}"
        yield f"{name}.opcode", lambda m=m, name=name: [opcode_check(graph, m, f"{name}.opcode")]
        yield f"{name}.effect", lambda m=m, name=name: [effect_check(graph, m, f"{name}.effect", "each bit")]
        yield f"{name}.rules", lambda m=m, name=name: [rules_check(graph, m, f"{name}.rules")]
        yield f"{name}.timing.", lambda m=m, name=name: list(timing_checks(graph, m, f"{name}.timing"))
        for f in m.fields:
            yield f"{name}.fields.{f.name}", lambda m=m, f=f, name=name: [field_check(graph, m, f, f"{name}.fields.{f.name}")]
    yield "", lambda: list(graph_checks(graph, params))


def checks(graph: Graph, params: SystolicParams, only: Callable[[str], bool] = lambda _: True) -> tuple[list[Check], list[Claim]]:
    """A check for each attribute that ``only`` picks, in order; and claims that fail already: the covenant contradicts
    itself, so that nothing can be tried."""
    wanted = [a for a in attributes(graph) if only(a)]
    found: dict[str, Check] = {}
    failed: dict[str, Claim] = {}
    for prefix, make in _makers(graph, params):
        mine = [a for a in wanted if a.startswith(prefix) and a not in found and a not in failed]
        if not mine:
            continue
        try:
            found.update({check.attribute: check for check in make()})
        except (ValueError, LookupError, StopIteration, ArithmeticError, AssertionError, TypeError) as error:
            failed |= {a: Claim(a, "", f"cannot be tried: {type(error).__name__}: {error}", False) for a in mine}
    for attribute in wanted:
        if attribute not in found and attribute not in failed:
            raise LookupError(f"no check holds {attribute} against RTL")
    return [found[a] for a in wanted if a in found], list(failed.values())


def check_graph(graph: Graph, params: SystolicParams, lab: Laboratory, only: Callable[[str], bool] = lambda _: True) -> list[Claim]:
    """Measures what ``graph`` promises in the laboratory's RTL, which is that of ``params``."""
    found, failed = checks(graph, params, only)
    lab.measure(trial for check in found for trial in check.trials)
    return [*(check.claim([lab.results[t] for t in check.trials]) for check in found), *failed]


def unseen(told: Sequence[Lie], params: SystolicParams, lab: Laboratory) -> list[Lie]:
    """Those of ``told`` that pass the check of the attribute that lies; its trials are made from the lying covenant."""
    found = [checks(lie.graph, params, lambda a, lie=lie: a == lie.attribute) for lie in told]
    lab.measure(trial for mine, _ in found for check in mine for trial in check.trials)
    return [lie for lie, (mine, failed) in zip(told, found, strict=True)
            if not failed and all(check.claim([lab.results[t] for t in check.trials]).holds for check in mine)]
