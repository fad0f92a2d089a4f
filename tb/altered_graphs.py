"""Machines that nobody made: a covenant's graph with random alterations, for a compiler that must be right or refuse."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tenon.acg.expr import Aff, Choose, Expr, Load, Loop, Nest, Op, Val, remade, walk
from tenon.acg.field import Field
from tenon.acg.formula import names
from tenon.acg.graph import Graph, Kind, Memory
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.sequencer import QueueSequencer
from tenon.tb.graph_edits import changed, rebuilt, renamed, trimmed

__all__ = ["ALTERATIONS", "altered"]


def altered(graph: Graph, seed: int, most: int = 3) -> tuple[str, Graph]:
    """``graph`` after one to ``most`` alterations, and what they were."""
    rng = random.Random(seed)
    said = []
    for _ in range(rng.randint(1, most)):
        kind = rng.choice(list(ALTERATIONS))
        what, graph = ALTERATIONS[kind](graph, rng)
        said.append(f"{kind}: {what}")
    return "; ".join(said), trimmed(replace(graph, notes={}))  # which tell of the machine that it was


def _on_chip(graph: Graph) -> list[Memory]:
    return [m for m in graph.memories if m.kind is not Kind.DRAM]


def _rename_memories(graph: Graph, rng: random.Random):
    other = {m.name: f"M{k}" for k, m in enumerate(rng.sample(_on_chip(graph), len(_on_chip(graph))))}
    return str(other), renamed(graph, other)


def _merge_memories(graph: Graph, rng: random.Random):
    if len(_on_chip(graph)) < 2:
        return "nothing", graph
    a, b = rng.sample(_on_chip(graph), 2)
    return f"{a.name} and {b.name}", renamed(graph, {b.name: a.name})


def _split_memory(graph: Graph, rng: random.Random):
    """One instruction's part of a memory becomes another memory."""
    mnemonic = rng.choice(graph.mnemonics)
    memory = rng.choice(_on_chip(graph))
    other = f"{memory.name}_{mnemonic.name}"
    effect = rebuilt(mnemonic.effect, memory=lambda n: other if n == memory.name else n)
    graph = changed(graph, mnemonic, effect=effect)
    if other in graph.memory_bytes:
        return "nothing", graph
    edges = [replace(e, src=other) if e.src == memory.name and e.dst == mnemonic.unit else
             replace(e, dst=other) if e.dst == memory.name and e.src == mnemonic.unit else e for e in graph.edges]
    return f"{memory.name} of {mnemonic.name}", replace(graph, memories=(*graph.memories, replace(memory, name=other)), edges=tuple(edges))


def _shuffle(graph: Graph, rng: random.Random):
    def mixed(values):
        return tuple(rng.sample(values, len(values)))

    return "all lists", replace(graph, memories=mixed(graph.memories), units=mixed(graph.units), edges=mixed(graph.edges),
                                mnemonics=mixed(graph.mnemonics), segments=mixed(graph.segments))


def _shuffle_fields(graph: Graph, rng: random.Random):
    """Fields in another order, and loops, whose order means nothing, too."""
    def mixed(m: Mnemonic) -> Mnemonic:
        effect = Nest(tuple(rng.sample(m.effect.loops, len(m.effect.loops))), m.effect.destination, m.effect.expr)
        return replace(m, fields=tuple(rng.sample(m.fields, len(m.fields))), effect=effect)

    return "of all", replace(graph, mnemonics=tuple(map(mixed, graph.mnemonics)))


def _unshared(graph: Graph, rng: random.Random):
    """Reads that were one node are several, as a text gives them."""
    def apart(m: Mnemonic) -> Mnemonic:
        known: dict[int, Expr] = {}

        def visit(e: Expr) -> Expr:
            if isinstance(e, Load):
                return Load(e.operand, e.index)
            if id(e) not in known:
                known[id(e)] = remade(e, visit)
            return known[id(e)]

        return replace(m, effect=Nest(m.effect.loops, m.effect.destination, visit(m.effect.expr)))

    return "of all", replace(graph, mnemonics=tuple(map(apart, graph.mnemonics)))


def _plain_copies(graph: Graph, rng: random.Random):
    """Transfers without guards."""
    def plain(m: Mnemonic) -> Mnemonic:
        expr = m.effect.expr
        return replace(m, effect=Nest(m.effect.loops, m.effect.destination, expr.args[1])) if getattr(expr, "name", "") == "select" else m

    return "all", replace(graph, mnemonics=tuple(map(plain, graph.mnemonics)))


def _opcodes(graph: Graph, rng: random.Random):
    codes: list[int] = []
    if isinstance(graph.sequencer, QueueSequencer):
        codes = rng.sample(range(1, 16), len(graph.mnemonics))
    else:  # those of one unit differ
        mixed = {u.name: iter(rng.sample(range(1, 16), 15)) for u in graph.units}
        codes = [next(mixed[m.unit]) for m in graph.mnemonics]
    return str(codes), replace(graph, mnemonics=tuple(replace(m, opcode=c) for m, c in zip(graph.mnemonics, codes)))


def _rename_mnemonics(graph: Graph, rng: random.Random):
    """Instructions and units by other names, in another order of names."""
    others = {u.name: f"U{k}" for k, u in enumerate(rng.sample(graph.units, len(graph.units)))}
    sequencer = graph.sequencer
    if not isinstance(sequencer, QueueSequencer):
        slots = tuple(replace(s, units=tuple(others[u] for u in s.units)) for s in sequencer.slots)
        sequencer = replace(sequencer, slots=slots, background=tuple(replace(b, unit=others[b.unit]) for b in sequencer.background))
    return str(others), replace(
        graph, sequencer=sequencer, units=tuple(replace(u, name=others[u.name]) for u in graph.units),
        edges=tuple(replace(e, src=others.get(e.src, e.src), dst=others.get(e.dst, e.dst)) for e in graph.edges),
        mnemonics=tuple(replace(m, name=f"I{k}", unit=others[m.unit]) for k, m in enumerate(graph.mnemonics)))


def _drop_mnemonic(graph: Graph, rng: random.Random):
    if len(graph.mnemonics) < 2:
        return "nothing", graph
    gone = rng.choice(graph.mnemonics)
    return gone.name, replace(graph, mnemonics=tuple(m for m in graph.mnemonics if m is not gone))


def _drop_choice(graph: Graph, rng: random.Random):
    """An instruction without one of a field's alternatives."""
    mnemonic = rng.choice(graph.mnemonics)
    fields = [f for f in mnemonic.fields if f.kind == "enum" and len(f.choices) > 1 and not any(f.name in names(r) for r in
              (*mnemonic.rules, *(formula for _, formula in mnemonic.timing.terms())))]
    if not fields:
        return "nothing", graph
    field = rng.choice(fields)
    gone = rng.randrange(len(field.choices))
    kept = tuple(c for k, c in enumerate(field.choices) if k != gone)

    def choose(e: Choose, alternatives: Sequence[Expr]) -> Expr:
        if e.field != field.name:
            return Choose(e.field, tuple(alternatives))
        return Choose(e.field, tuple(a for k, a in enumerate(alternatives) if k != gone))

    fields = tuple(Field(f.name, 0, len(kept) - 1, "enum", kept) if f is field else f for f in mnemonic.fields)
    return f"{mnemonic.name}.{field.name}={field.choices[gone]}", changed(graph, mnemonic, fields=fields,
                                                                       effect=rebuilt(mnemonic.effect, choose=choose))


def _permute_choices(graph: Graph, rng: random.Random):
    """Alternatives of a field in another order, its rules and costs left alone."""
    mnemonic = rng.choice(graph.mnemonics)
    fields = [f for f in mnemonic.fields if f.kind == "enum" and not any(f.name in names(r) for r in
              (*mnemonic.rules, *(formula for _, formula in mnemonic.timing.terms())))]
    if not fields:
        return "nothing", graph
    field = rng.choice(fields)
    order = rng.sample(range(len(field.choices)), len(field.choices))

    def choose(e: Choose, alternatives: Sequence[Expr]) -> Expr:
        return Choose(e.field, tuple(alternatives) if e.field != field.name else tuple(alternatives[k] for k in order))

    fields = tuple(replace(f, choices=tuple(f.choices[k] for k in order)) if f is field else f for f in mnemonic.fields)
    return f"{mnemonic.name}.{field.name} {order}", changed(graph, mnemonic, fields=fields, effect=rebuilt(mnemonic.effect, choose=choose))


def _narrow_field(graph: Graph, rng: random.Random):
    mnemonic = rng.choice(graph.mnemonics)
    numbers = [f for f in mnemonic.fields if f.kind == "int" and f.high > 1]
    field = rng.choice(numbers)
    high = max(field.low, rng.choice([1, 2, 3, field.high // 4, field.high // 64, field.high // 2]))
    low = field.low if field.low >= 0 else max(field.low, rng.choice([0, -1, field.low // 4]))
    fields = tuple(replace(f, low=min(low, high), high=high) if f is field else f for f in mnemonic.fields)
    return f"{mnemonic.name}.{field.name} {low}..{high}", changed(graph, mnemonic, fields=fields)


def _fewer_lanes(graph: Graph, rng: random.Random):
    mnemonic = rng.choice(graph.mnemonics)
    factor = rng.choice([2, 4])

    def loops(of: Sequence[Loop]) -> list[Loop]:
        return [replace(l, extent=max(1, l.extent // factor)) if isinstance(l.extent, int) else l for l in of]

    return f"{mnemonic.name} / {factor}", changed(graph, mnemonic, effect=rebuilt(mnemonic.effect, loops=loops))


def _new_rule(graph: Graph, rng: random.Random):
    mnemonic = rng.choice(graph.mnemonics)
    numbers = [f for f in mnemonic.fields if f.kind == "int"]
    field = rng.choice(numbers)
    rule = rng.choice([f"{field.name} % 2 == {max(field.low, 0) % 2}", f"{field.name} <= {max(field.low, 5)}",
                       f"{field.name} < {max(field.low, 0) + 64} or {rng.choice(numbers).name} == {max(field.low, 0)}"])
    return f"{mnemonic.name}: {rule}", changed(graph, mnemonic, rules=(*mnemonic.rules, rule))


def _drop_cost(graph: Graph, rng: random.Random):
    mnemonic = rng.choice(graph.mnemonics)
    return mnemonic.name, changed(graph, mnemonic, timing=replace(mnemonic.timing, occupancy="1"))


def _resize_memory(graph: Graph, rng: random.Random):
    memory = rng.choice(_on_chip(graph))
    words = max(1, rng.choice([memory.words // 8, memory.words // 2, memory.words * 2, memory.words - 1, memory.words * 3 // 4]))
    return f"{memory.name} {words}", replace(graph, memories=tuple(replace(m, words=words) if m is memory else m for m in graph.memories))


def _sequencer(graph: Graph, rng: random.Random):
    keys = ["tokens", "token_limit", "queue_depth"] if isinstance(graph.sequencer, QueueSequencer) else [
        "streams", "stream_levels", "loops", "loop_count", "loop_packets", "program_packets"]
    changes = {rng.choice(keys): rng.choice([1, 2, 4, 7, 12])}
    return str(changes), replace(graph, sequencer=replace(graph.sequencer, **changes))


def _unordered(graph: Graph, rng: random.Random):
    return "no unit", replace(graph, units=tuple(replace(u, ordered=()) for u in graph.units))


def _bus(graph: Graph, rng: random.Random):
    width = rng.choice([1, 2, 8, 16, 64, 128])
    return str(width), replace(graph, bus_bytes=width)


def _shift_constant(graph: Graph, rng: random.Random):
    """An instruction that computes something else: one of its numbers is another."""
    mnemonic = rng.choice(graph.mnemonics)
    found = [e for e in walk(mnemonic.effect.expr) if isinstance(e, Val) and not isinstance(e.value, Aff)]
    if not found:
        return "nothing", graph
    gone = rng.choice(found)
    known: dict[int, Expr] = {id(gone): Val(gone.value + 1, gone.element)}

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            known[id(e)] = remade(e, visit)
        return known[id(e)]

    effect = Nest(mnemonic.effect.loops, mnemonic.effect.destination, visit(mnemonic.effect.expr))
    return f"{mnemonic.name}: {gone.value}", changed(graph, mnemonic, effect=effect)


def _another_operation(graph: Graph, rng: random.Random):
    """An instruction that computes something else: one of its operations is another."""
    mnemonic = rng.choice(graph.mnemonics)
    other = {"add": "sub", "sub": "add", "mul": "add", "max": "min", "min": "max"}
    found = [e for e in walk(mnemonic.effect.expr) if isinstance(e, Op) and e.name in other]
    if not found:
        return "nothing", graph
    gone = rng.choice(found)
    known: dict[int, Expr] = {}

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            made = remade(e, visit)
            known[id(e)] = Op(other[made.name], made.args) if e is gone else made
        return known[id(e)]

    effect = Nest(mnemonic.effect.loops, mnemonic.effect.destination, visit(mnemonic.effect.expr))
    return f"{mnemonic.name}: {gone.name}", changed(graph, mnemonic, effect=effect)


#: By name: what each does with a graph.
ALTERATIONS: dict[str, Callable[[Graph, random.Random], tuple[str, Graph]]] = {
    "memories renamed": _rename_memories, "memories merged": _merge_memories, "memory split": _split_memory, "shuffled": _shuffle,
    "fields shuffled": _shuffle_fields, "reads apart": _unshared, "guards dropped": _plain_copies,
    "opcodes": _opcodes, "instructions renamed": _rename_mnemonics, "instruction dropped": _drop_mnemonic, "choice dropped": _drop_choice,
    "choices permuted": _permute_choices, "field narrowed": _narrow_field, "fewer lanes": _fewer_lanes, "rule": _new_rule,
    "cost": _drop_cost, "memory resized": _resize_memory, "sequencer": _sequencer, "nothing ordered": _unordered,
    "bus": _bus, "constant": _shift_constant, "operation": _another_operation,
}
